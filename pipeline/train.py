"""Trains a model on joined examples: `python -m pipeline.train --examples DIR --model_dir DIR`."""

import json
import os
from collections.abc import Sequence

from absl import flags, logging

from features import storage
from features.errors import UserInputError
from models import training
from pipeline import embedding_inputs, entry_point, run_config, training_inputs

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string("examples", None, "Folder that the join wrote.", required=True)
    flags.DEFINE_string("model_dir", None, "Folder to write the model to.", required=True)
    flags.DEFINE_multi_string(
        "embeddings", [], "modality=DIR of an embedding set, for models that read vectors."
    )
    flags.DEFINE_string(
        "vocabulary", None, "--output of build_vocabulary, or a file of ids; the join's by default."
    )
    flags.DEFINE_string("part", None, "Train on this part alone of a data set of parts.")
    flags.DEFINE_string(
        "warm_start",
        None,
        "Folder of a trained model to start from; `last` for the one beside --model_dir whose "
        "name comes next before its own.",
    )
    flags.DEFINE_string("config", None, "Python file with get_config(); sections model, training.")
    flags.DEFINE_multi_string("set", [], "key=value, such as model.heads=2; repeatable.")


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags)


def _main(arguments: Sequence[str]) -> None:
    del arguments
    if storage.is_remote(_FLAGS.model_dir):
        raise UserInputError(
            f"--model_dir {_FLAGS.model_dir!r} must be a local folder: checkpoints are written "
            "there while training runs. Copy the folder when it is done; the other jobs read it "
            "from there."
        )
    config = run_config.load(_FLAGS.config, _FLAGS.set)
    examples = training_inputs.open_examples(
        _FLAGS.examples, _FLAGS.vocabulary, config.model, _FLAGS.part
    )
    start = training_inputs.find_start(_FLAGS.warm_start, _FLAGS.model_dir)
    embeddings = embedding_inputs.read_all(entry_point.modality_folders(_FLAGS.embeddings))
    _, figures = training.train(
        examples, config.model, config.training, _FLAGS.model_dir, embeddings, start
    )
    with open(os.path.join(_FLAGS.model_dir, "run_config.json"), "w") as file:
        json.dump(run_config.to_dict(config), file, indent=2, sort_keys=True)
    best = max(row["val_auc"] for row in figures["history"])
    logging.info(
        "Trained %s: %d steps, %.0f candidates/s, best validation AUC %.4f -> %s",
        config.model.name,
        figures["steps"],
        figures["candidates_per_second"],
        best,
        _FLAGS.model_dir,
    )


if __name__ == "__main__":
    main()
