"""Runs a job here, in Docker or on Kubernetes, or prints what would run.

    python -m pipeline.submit --job train --target kubernetes --set image=REGISTRY/dmf-worker:1 \
        --volume ctr-data:/data --dry_run -- --examples /data/examples --model_dir /data/model

The job's own flags follow `--`. The job checks them before anything is submitted.
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.runtime import entry_point, python_config
from pipeline.submission import jobs
from pipeline.submission.settings import Settings
from pipeline.submission.submission import Submission
from pipeline.submission.targets import TARGETS

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_enum("job", None, jobs.names(), "What to run.", required=True)
    flags.DEFINE_enum("target", None, list(TARGETS), "Where to run it.", required=True)
    flags.DEFINE_bool("dry_run", False, "Print what would run, and run nothing.")
    flags.DEFINE_string("config", None, "Python file with get_config(): settings.")
    flags.DEFINE_multi_string("set", [], "key=value of a setting, such as cpus=4; repeatable.")
    flags.DEFINE_multi_string(
        "volume", [], "SOURCE:/MOUNT[:ro], beside the configured ones; repeatable."
    )


def main() -> None:
    """The command `dmf-submit`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True)


def _main(arguments: Sequence[str]) -> None:
    if arguments and arguments[0] != "--":
        raise UserInputError(
            f"Unknown flag or argument {arguments[0]!r}. Give the job's own flags after a `--`, "
            "those of pipeline.submit before it (see --help)."
        )
    values = python_config.read(_FLAGS.config, _FLAGS.set)
    values["volumes"] = [*values.get("volumes", ()), *_FLAGS.volume]
    settings = python_config.validate(Settings, values, _FLAGS.config or "(defaults)")
    submission = Submission(_FLAGS.job, tuple(arguments[1:]), settings)
    if _FLAGS.target != "local":
        submission.check_paths()
    if _FLAGS.target != "local" or _FLAGS.dry_run:
        jobs.check_flags(submission.job, submission.flags)
    if code := TARGETS[_FLAGS.target](submission, _FLAGS.dry_run):
        raise SystemExit(code)


if __name__ == "__main__":
    main()
