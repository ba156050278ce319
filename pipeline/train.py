r"""Trains a model on joined examples.

The same command resumes a training that was stopped, and does nothing where it is finished.

Usual commands:

    python -m pipeline.train --examples examples/ --model_dir models/dmf
    python -m pipeline.train --examples examples/ --model_dir models/id_only \
        --set model.name=id_only --set training.learning_rate=5e-4

Left on disk: the model (`model.json`, `weights/`, `vocabulary/`), what reproduces it (`run.json`,
`run_config.json`, `training.json`), `metrics/validation.json`, `tensorboard/` and `report.html`.

SIGTERM stops a training after a checkpoint, with exit code 75; the same command resumes it.
"""

from collections.abc import Sequence

from absl import flags, logging

from features.errors import UserInputError
from features.files import storage
from pipeline.runtime import entry_point, environment
from pipeline.tables.flags import table_options
from pipeline.training_runs import run_config
from pipeline.training_runs.flags import define_flags

_FLAGS = flags.FLAGS


def main() -> None:
    """Runs the job."""
    hints = {name: f"--set training.{name}=VALUE" for name in run_config.FORMER_FLAGS}
    entry_point.run(_main, define_flags, check_flags=_check_flags, hints=hints)


def _check_flags(arguments: Sequence[str]) -> None:
    entry_point.named_locations(_FLAGS.embeddings, "embeddings")
    table_options()
    run_config.check(_FLAGS.config, _FLAGS.set)


def _main(arguments: Sequence[str]) -> None:
    from models.training import distribution, execution
    from pipeline.embedding_sets import embedding_inputs
    from pipeline.training_runs import training_inputs, training_job
    from pipeline.training_runs.training_run import Origin

    if storage.is_remote(_FLAGS.model_dir):
        raise UserInputError(
            f"--model_dir {_FLAGS.model_dir!r} must be a local folder: training writes its "
            "checkpoints there. Copy the folder afterwards; the other jobs read remote folders."
        )
    arguments = entry_point.given_flags(without=("config", "set", "model_dir", "overwrite"))
    origin = Origin(environment.command("pipeline.train"), arguments)
    config = run_config.load(_FLAGS.config, _FLAGS.set)
    execution.set_threads(config.training)
    # Before any other use of TensorFlow: here workers connect to each other.
    strategy = distribution.strategy(config.training.strategy)
    examples = training_inputs.open_examples(
        _FLAGS.examples, _FLAGS.vocabulary, config.model, _FLAGS.part, _FLAGS.min_coverage
    )
    start = training_inputs.find_start(_FLAGS.warm_start, _FLAGS.model_dir)
    training_inputs.check_start(start, examples, _FLAGS.min_coverage)
    locations = entry_point.named_locations(_FLAGS.embeddings, "embeddings")
    embeddings = training_inputs.read_vectors(
        locations, examples, _FLAGS.min_coverage, table_options()
    )
    figures = training_job.train(
        _FLAGS.model_dir,
        examples,
        config,
        embeddings,
        origin,
        start=start,
        overwrite=_FLAGS.overwrite,
        strategy=strategy,
    )
    if figures is None:
        return
    best = max(row["val_auc"] for row in figures["history"])
    logging.info(
        "Trained %s: %d steps, %.0f candidates/s, best validation AUC %.4f -> %s",
        config.model.name,
        figures["steps"],
        figures["candidates_per_second"],
        best,
        _FLAGS.model_dir,
    )
    embedding_inputs.log_left_out(embeddings)


if __name__ == "__main__":
    main()
