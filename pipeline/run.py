"""From a log to a verified model, with a report.

Joins, inspects, trains, evaluates, exports, scores and times, one after another. It runs on the
ratings that ship with the extra `demo`, or on the folder of `--set data.source=DIR`, which has
`ratings.parquet`, `items.parquet` and `embeddings/<modality>.parquet`.

Usual commands:

    python -m pipeline.run --config demo --output build/demo
    python -m pipeline.run --config config.py --set model.heads=2 --output run/

Left on disk: `data/`, `examples/`, `statistics/`, `models/<name>/`, `serving/<name>/<version>/`,
`summary.json`, `report.json` and `report.html`.

SIGTERM stops a training after a checkpoint, with exit code 75; the same command resumes it.
"""

from collections.abc import Sequence

from absl import flags

from features.files import locks
from pipeline.end_to_end import run_inputs
from pipeline.runtime import entry_point, plain_text
from pipeline.runtime.help_text import flag_group
from pipeline.training_runs import run_config
from pipeline.training_runs.flags import define_configuration

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    define_configuration("Configuration")
    with flag_group("Output"):
        flags.DEFINE_string("output", None, "`FOLDER` All outputs, local.", required=True)
        flags.DEFINE_bool(
            "overwrite", False, "Train anew what is trained already, or was trained otherwise."
        )


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=_check_flags)


def _check_flags(arguments: Sequence[str]) -> None:
    run_inputs.check(run_config.check(_FLAGS.config, _FLAGS.set), _FLAGS.output)


def _main(arguments: Sequence[str]) -> None:
    from pipeline.end_to_end import run_summary, steps
    from pipeline.end_to_end.run_state import RunState

    config = run_config.load(_FLAGS.config, _FLAGS.set)
    run_inputs.check(config, _FLAGS.output)
    run = RunState(config, _FLAGS.output, _FLAGS.overwrite)
    with locks.locked(_FLAGS.output):
        steps.execute(run, steps.named_steps(config))
        summary = run_summary.write(run)
    plain_text.say(run_summary.describe(summary, run.model.label, run.output))


if __name__ == "__main__":
    main()
