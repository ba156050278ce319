"""Exports a model: `python -m pipeline.export --model_dir DIR --export_dir DIR --examples DIR`."""

from collections.abc import Sequence

from absl import flags, logging

from features.embeddings import embedding_set
from models import trained_model
from models.inputs.example_set import ExampleSet
from pipeline.runtime import entry_point
from serving_signatures.export import gate

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
    entry_point.run(
        _main, define_flags, check_flags=lambda _: entry_point.modality_folders(_FLAGS.embeddings)
    )


def _main(arguments: Sequence[str]) -> None:
    examples = None if _FLAGS.examples is None else ExampleSet.open(_FLAGS.examples)
    model = trained_model.read_trained_model(_FLAGS.model_dir)
    folders = entry_point.modality_folders(_FLAGS.embeddings)
    embeddings = {name: embedding_set.read_embedding_set(path) for name, path in folders.items()}
    exported = gate.export_model(model, _FLAGS.export_dir, examples, embeddings)
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
