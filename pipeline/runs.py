"""Lists, compares and reproduces training runs.

A run is a folder that pipeline.train or pipeline.run wrote; its name is its path below --folder.
Without --compare and --reproduce all runs are listed.

Usual commands:

    python -m pipeline.runs --folder models/ --sort test.auc
    python -m pipeline.runs --folder models/ --compare dmf,id_only
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.runtime import entry_point, plain_text
from pipeline.runtime.help_text import flag_group
from pipeline.training_runs import reproduction, run_comparison, run_list

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Input"):
        flags.DEFINE_string("folder", None, "`FOLDER` Where to search for runs.", required=True)
    with flag_group("What is printed"):
        flags.DEFINE_string(
            "sort",
            None,
            "`METRIC` Metric to sort by, such as auc or test.auc. Default: the newest first.",
        )
        flags.DEFINE_list(
            "compare", [], "`RUN,RUN,...` Runs whose settings and metrics are printed side by side."
        )
        flags.DEFINE_string(
            "reproduce", None, "`RUN` Run whose command is printed, with what has changed since."
        )


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags)


def _main(arguments: Sequence[str]) -> None:
    runs = run_list.find(_FLAGS.folder)
    if _FLAGS.reproduce is not None:
        print(reproduction.script(run_list.select(runs, _FLAGS.reproduce)))
        return
    if _FLAGS.compare:
        chosen = [run_list.select(runs, name) for name in _FLAGS.compare]
        if len({one.folder for one in chosen}) < 2:
            raise UserInputError(
                f"--compare {','.join(_FLAGS.compare)}: name two different runs or more."
            )
        plain_text.say(run_comparison.describe(chosen))
        return
    plain_text.say(run_list.describe(run_list.order(runs, _FLAGS.sort) if _FLAGS.sort else runs))


if __name__ == "__main__":
    main()
