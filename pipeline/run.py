"""From a log to a verified model: join, train, evaluate, export, score, report.

python -m pipeline.run --config pipeline/configs/demo.py --output build/demo
"""

from collections.abc import Sequence

from absl import flags

from pipeline.end_to_end import run_summary, steps
from pipeline.end_to_end.run_state import RunState
from pipeline.runtime import entry_point
from pipeline.training_runs import run_config

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string("config", None, "Python file with get_config().")
    flags.DEFINE_string("output", None, "Folder for all outputs.", required=True)
    flags.DEFINE_multi_string("set", [], "key=value, such as model.heads=2; repeatable.")


def main() -> None:
    """Runs the job."""
    entry_point.run(
        _main, define_flags, check_flags=lambda _: run_config.check(_FLAGS.config, _FLAGS.set)
    )


def _main(arguments: Sequence[str]) -> None:
    config = run_config.load(_FLAGS.config, _FLAGS.set)
    run = RunState(config, _FLAGS.output)
    steps.execute(run, steps.named_steps(config))
    print(run_summary.describe(run_summary.write(run), run.model.label, run.output))


if __name__ == "__main__":
    main()
