"""Exports a model: `python -m pipeline.export --model_dir DIR --export_dir DIR --examples DIR`."""

from collections.abc import Mapping, Sequence

import tensorflow as tf
from absl import flags, logging

from features.embeddings import embedding_set
from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.records.decoded_example import decode_request
from models import trained_model
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel
from pipeline.runtime import entry_point
from serving_signatures.export import saved_model, warmup
from serving_signatures.export.recorded_requests import recorded_requests
from serving_signatures.export.sample_requests import SampleRequests

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string("model_dir", None, "Folder of a trained model.", required=True)
    flags.DEFINE_string(
        "export_dir", None, "The model's folder in TF Serving's sense.", required=True
    )
    flags.DEFINE_string(
        "examples", None, "Folder that the join wrote; its test split is compared too."
    )
    flags.DEFINE_multi_string(
        "embeddings", [], "modality=DIR, to keep the embedding set inside the model; repeatable."
    )


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=_check_flags)


def export_model(
    model: RankingModel,
    export_dir: str,
    examples: ExampleSet | None,
    embeddings: Mapping[str, EmbeddingSet],
    batch_sizes: Sequence[int] = warmup.BATCH_SIZES,
    requests: int = 8,
) -> saved_model.Exported:
    """Exports a model and holds it to held-out requests as well as to random ones.

    Args:
      model: a trained model.
      export_dir: the model's folder in TF Serving's sense.
      examples: the data set whose test split gives the held-out requests, or None.
      embeddings: embedding set by modality to keep inside the model; empty for none.
      batch_sizes: allowed batch sizes R.
      requests: held-out requests to compare.

    Raises:
      UserInputError: the signatures do not agree, or another check of the gate failed.
    """
    cases = []
    if examples is not None:
        trained_model.check_schema(model, examples)
        if requests and _codes_are_comparable(model, examples, embeddings):
            cases = [held_out_requests(examples, requests)]
    try:
        return saved_model.export_saved_model(model, export_dir, embeddings, batch_sizes, cases)
    except saved_model.ExportRefusedError as error:
        raise UserInputError(str(error)) from error


def held_out_requests(examples: ExampleSet, count: int) -> SampleRequests:
    """Returns the first records of the test split, as they are and by their ids.

    Their similarity codes come from the join, so scoring them by ids compares the join's codes
    with those that the graph computes.

    Args:
      examples: the data set.
      count: records to take.
    """
    records = tf.data.TFRecordDataset(examples.shards("test")).take(count)
    serialized = list(records.as_numpy_iterator())
    requests = [decode_request(examples.schema, record) for record in serialized]
    return recorded_requests(examples.schema, serialized, requests)


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


def _check_flags(arguments: Sequence[str]) -> None:
    del arguments
    entry_point.modality_folders(_FLAGS.embeddings)


def _main(arguments: Sequence[str]) -> None:
    del arguments
    examples = None if _FLAGS.examples is None else ExampleSet.open(_FLAGS.examples)
    model = trained_model.read_trained_model(_FLAGS.model_dir)
    folders = entry_point.modality_folders(_FLAGS.embeddings)
    embeddings = {name: embedding_set.read_embedding_set(path) for name, path in folders.items()}
    exported = export_model(model, _FLAGS.export_dir, examples, embeddings)
    logging.info(
        "Published %s: %s; largest difference from serving_default %.1e; tags %s",
        exported.folder,
        ", ".join(exported.signatures),
        exported.parity["max_abs_diff"],
        dict(exported.tags),
    )
    for line in exported.caches:
        print(line)


if __name__ == "__main__":
    main()
