"""The export of a trained model, verified on held-out requests of its data set too."""

from collections.abc import Mapping, Sequence

from absl import logging

from features.embeddings import item_coverage
from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.ids import coverage
from features.records import record_files
from models import trained_model
from models.inputs import shard_reading
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel
from serving_signatures import call_size
from serving_signatures.export import saved_model, warmup


def export_model(
    model: RankingModel,
    export_dir: str,
    examples: ExampleSet | None,
    embeddings: Mapping[str, EmbeddingSet],
    batch_sizes: Sequence[int] = warmup.BATCH_SIZES,
    requests: int = 8,
    min_coverage: float = coverage.DEFAULT,
    max_pairs: int = call_size.DEFAULT_MAX_PAIRS,
    origin: Mapping[str, str] | None = None,
    warmup_requests: Sequence[str] = (),
    kernels: bool = False,
) -> saved_model.Exported:
    """Exports a model and compares its signatures on held-out and on random requests.

    Args:
      model: a trained model.
      export_dir: the model's folder in TF Serving's sense.
      examples: the data set whose test split gives the held-out requests, or None.
      embeddings: embedding set by modality to keep inside the model; empty for none.
      batch_sizes: allowed batch sizes R.
      requests: held-out requests to compare.
      min_coverage: the least share of the vocabulary's items that have a vector inside, by
        modality. A model that hashes ids has the vocabulary of `examples`, or none to compare.
      max_pairs: the largest call that the version answers, see `call_size`.
      origin: further values of the manifest, which say what the version was made from.
      warmup_requests: files, globs or folders of a request log to take warm-up records from.
      kernels: compute by native kernels, which servers then need.

    Raises:
      NoRequestsError: `warmup_requests` hold none that the version could answer.
      UserInputError: the signatures do not agree, the embedding sets are of other items than the
        model, or another check of the gate failed.
    """
    held_out: list[bytes] = []
    vocabulary = model.item_embedding.vocabulary
    if examples is not None:
        trained_model.check_schema(model, examples)
        vocabulary = examples.vocabulary() if vocabulary is None else vocabulary
    item_coverage.check(
        embeddings,
        vocabulary,
        model.schema.id_kinds.item,
        "the model",
        "items of the vocabulary",
        min_coverage,
    )
    if examples is not None and requests and _codes_are_comparable(model, examples, embeddings):
        shards = examples.shards("test")
        with shard_reading.guarded(examples, shards):
            records = record_files.read_all(shards).take(requests)
            held_out = list(records.as_numpy_iterator())
    try:
        return saved_model.export_saved_model(
            model,
            export_dir,
            embeddings,
            batch_sizes,
            held_out,
            max_pairs,
            origin=origin,
            warmup_requests=warmup_requests,
            kernels=kernels,
        )
    except saved_model.ExportRefusedError as error:
        raise UserInputError(str(error)) from error


def _codes_are_comparable(
    model: RankingModel, examples: ExampleSet, embeddings: Mapping[str, EmbeddingSet]
) -> bool:
    """Whether the graph can compute the codes that the join wrote into the records.

    It can where the model holds the very vectors that the join read, and none of them counts
    from a certain time on only; a model without content has no codes to compare.
    """
    if not model.modalities:
        return True
    if not embeddings:
        return False
    joined = {name: one["fingerprint"] for name, one in examples.manifest["embedding_sets"].items()}
    if {name: one.fingerprint for name, one in embeddings.items()} != joined:
        logging.info(
            "The model's embedding sets are not the join's (%s): held-out requests are not "
            "compared, random ones are.",
            joined,
        )
        return False
    return not any(one.has_availability_times for one in embeddings.values())
