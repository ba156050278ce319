"""Lists, compares and reproduces training runs.

python -m pipeline.runs --folder DIR [--sort METRIC] [--compare A,B] [--reproduce RUN]
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.runtime import entry_point
from pipeline.training_runs import reproduction, run_comparison, run_list

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string("folder", None, "Folder to search for runs.", required=True)
    flags.DEFINE_string("sort", None, "Metric to sort by, such as auc or test.auc; else the time.")
    flags.DEFINE_list("compare", [], "Names of two or more runs to compare.")
    flags.DEFINE_string("reproduce", None, "Name of a run; prints the command that repeats it.")


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
        print(run_comparison.describe(chosen))
        return
    print(run_list.describe(run_list.order(runs, _FLAGS.sort) if _FLAGS.sort else runs))


if __name__ == "__main__":
    main()
