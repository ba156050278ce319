r"""Exports a trained model as the next version that TF Serving loads.

The SavedModel is loaded in a fresh process without this project's code. A version is published only
where all its signatures score alike.

Usual commands:

    python -m pipeline.export --model_dir models/dmf --export_dir serving/dmf --examples examples/
    python -m pipeline.export --model_dir models/dmf --export_dir serving/dmf --examples examples/ \
        --embeddings text=text/ --embeddings image=image/

Left on disk: `<export_dir>/<version>/` with the SavedModel and `assets.extra/`, which has warm-up
records and a manifest of tags, parity and sha256. The log says what becomes of the caches.
"""

from collections.abc import Sequence
from typing import Any

from absl import flags, logging

from pipeline.runtime import entry_point
from pipeline.runtime.coverage_flags import define_min_coverage
from pipeline.runtime.help_text import flag_group
from pipeline.tables.flags import define_table_flags, table_options
from serving_signatures import call_size

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Inputs"):
        flags.DEFINE_string(
            "model_dir", None, "`FOLDER` Model that pipeline.train wrote.", required=True
        )
        flags.DEFINE_string(
            "examples",
            None,
            "`FOLDER` Examples that the join wrote; requests of their test split are compared too.",
        )
        flags.DEFINE_multi_string(
            "embeddings",
            [],
            "`MODALITY=FOLDER` Embedding set to keep inside; without it requests carry vectors.",
        )
        define_min_coverage("the vocabulary's items that have a vector, in each of --embeddings")
    with flag_group("Load"):
        flags.DEFINE_integer(
            "max_pairs",
            call_size.DEFAULT_MAX_PAIRS,
            "`COUNT` Largest call that is answered, in pairs of a candidate and a behavior.",
            lower_bound=1,
        )
        flags.DEFINE_multi_string(
            "warmup_requests", [], "`FILE|GLOB|FOLDER` Request log with the sizes to warm up."
        )
        flags.DEFINE_bool("kernels", False, "Compute by native kernels; the server needs them.")
    with flag_group("Tables"):
        define_table_flags()
    with flag_group("Output"):
        flags.DEFINE_string(
            "export_dir",
            None,
            "`FOLDER` The model's versions; the folder's name is the model's, as in serving/dmf.",
            required=True,
        )


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=_check_flags)


def _check_flags(arguments: Sequence[str]) -> None:
    entry_point.named_locations(_FLAGS.embeddings, "embeddings")
    table_options()


def _main(arguments: Sequence[str]) -> None:
    from models import trained_model
    from models.inputs.example_set import ExampleSet
    from pipeline.embedding_sets import embedding_inputs
    from serving_signatures.export import gate

    examples = None if _FLAGS.examples is None else ExampleSet.open(_FLAGS.examples)
    model = trained_model.read_trained_model(_FLAGS.model_dir)
    locations = entry_point.named_locations(_FLAGS.embeddings, "embeddings")
    embeddings = embedding_inputs.read_all(locations, table_options())
    names = ("min_coverage", "max_pairs", "warmup_requests", "kernels")
    options: dict[str, Any] = {name: _FLAGS[name].value for name in names}
    exported = gate.export_model(model, _FLAGS.export_dir, examples, embeddings, **options)
    logging.info(
        "Published %s: %s; largest difference from serving_default %.1e; tags %s",
        *(exported.folder, ", ".join(exported.signatures)),
        *(exported.parity["max_abs_diff"], dict(exported.tags)),
    )
    embedding_inputs.log_left_out(embeddings)


if __name__ == "__main__":
    main()
