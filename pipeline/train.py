"""Trains a model on joined examples: `python -m pipeline.train --examples DIR --model_dir DIR`."""

import os
from collections.abc import Sequence

from absl import flags, logging

from features.errors import UserInputError
from features.files import storage
from models.training import distribution, execution, fit
from pipeline.embedding_sets import embedding_inputs
from pipeline.runtime import entry_point, environment, termination
from pipeline.training_runs import run_config, run_folder, training_inputs, training_run
from pipeline.training_runs.training_run import Origin

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string("examples", None, "Folder that the join wrote.", required=True)
    flags.DEFINE_string("model_dir", None, "Folder to write the model to.", required=True)
    flags.DEFINE_multi_string(
        "embeddings", [], "modality=DIR of an embedding set, for models that read vectors."
    )
    flags.DEFINE_string(
        "vocabulary", None, "--output of build_vocabulary, or a file of ids; by default the join's."
    )
    flags.DEFINE_string("part", None, "Train only on this part of a data set of parts.")
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
    hints = {name: f"--set training.{name}=VALUE" for name in run_config.FORMER_FLAGS}
    entry_point.run(_main, define_flags, check_flags=_check_flags, hints=hints)


def _check_flags(arguments: Sequence[str]) -> None:
    entry_point.modality_folders(_FLAGS.embeddings)
    run_config.check(_FLAGS.config, _FLAGS.set)


def _main(arguments: Sequence[str]) -> None:
    if storage.is_remote(_FLAGS.model_dir):
        raise UserInputError(
            f"--model_dir {_FLAGS.model_dir!r} must be a local folder: training writes its "
            "checkpoints there. Copy the folder afterwards; the other jobs read remote folders."
        )
    arguments = entry_point.given_flags(without=("config", "set", "model_dir"))
    origin = Origin(environment.command("pipeline.train"), arguments)
    config = run_config.load(_FLAGS.config, _FLAGS.set)
    execution.set_threads(config.training)
    # Before any other use of TensorFlow: here workers connect to each other.
    strategy = distribution.strategy(config.training.strategy)
    examples = training_inputs.open_examples(
        _FLAGS.examples, _FLAGS.vocabulary, config.model, _FLAGS.part
    )
    start = training_inputs.find_start(_FLAGS.warm_start, _FLAGS.model_dir)
    embeddings = embedding_inputs.read_all(entry_point.modality_folders(_FLAGS.embeddings))
    with termination.saving() as stop_requested, strategy.scope():
        model, figures = fit.train(
            examples,
            config.model,
            config.training,
            _FLAGS.model_dir,
            embeddings,
            stop_requested,
            start,
        )
        if not distribution.is_chief():
            return
    training_run.record(_FLAGS.model_dir, model, examples, config, embeddings, origin)
    best = max(row["val_auc"] for row in figures["history"])
    logging.info("Report %s", os.path.join(_FLAGS.model_dir, run_folder.REPORT))
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
