r"""Runs a job here, in Docker or on Kubernetes, or prints what would run.

The job's own flags follow `--`. The job checks them before anything is submitted.

Usual commands:

    python -m pipeline.submit --job train --target kubernetes --config cluster.py --dry_run -- \
        --examples s3://bucket/examples --model_dir /data/model
    python -m pipeline.submit --job build_examples --target docker --volume /srv/ctr:/data -- \
        --events /data/log --embeddings text=/data/text --output /data/examples

    python -m pipeline.submit --job serve --target kubernetes --set export_dir=serving/dmf \
        --volume ctr-models:/models:ro --dry_run

`serve` is TensorFlow Serving, with what pipeline.models promoted; it has settings and no flags.

It exits with 0 after a hand-over to Kubernetes, and else with the job's own code. A job that ends
with 75 is run again, one that ends with 2 never. With `--once` it waits for Kubernetes too, and
leaves what is to be run again to whoever called it.
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.runtime import entry_point, python_config
from pipeline.runtime.help_text import flag_group
from pipeline.submission import jobs, targets
from pipeline.submission.serve_settings import ServeSettings
from pipeline.submission.serving import Serving
from pipeline.submission.settings import Settings
from pipeline.submission.submission import Submission
from pipeline.submission.targets import TARGETS

_FLAGS = flags.FLAGS
_SERVE = "serve"


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("What and where"):
        choices = sorted([*jobs.names(), _SERVE])
        flags.DEFINE_enum("job", None, choices, "`JOB` Job to run.", required=True)
        flags.DEFINE_enum("target", None, list(TARGETS), "Where to run it.", required=True)
        flags.DEFINE_bool("dry_run", False, "Print what would run, and run nothing.")
        flags.DEFINE_bool(
            "once", False, "Run once, wait for the end, and exit with the job's code, 75 too."
        )
    with flag_group("Settings (image, cpus, memory_gib, workers, retries, ...)"):
        flags.DEFINE_string("config", None, "`FILE` Python with get_config(): the settings.")
        flags.DEFINE_multi_string(
            "set", [], "`KEY=VALUE` One setting, such as cpus=4; overrides --config."
        )
        flags.DEFINE_multi_string(
            "volume",
            [],
            "`SOURCE:/MOUNT[:ro]` Volume besides the configured ones, such as ctr-data:/data.",
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
    where = _FLAGS.config or "(defaults)"
    if _FLAGS.job == _SERVE:
        _check_serve(arguments[1:])
        serve_settings = python_config.validate(ServeSettings, values, where)
        if code := targets.serve(Serving.read(serve_settings), _FLAGS.dry_run):
            raise SystemExit(code)
        return
    settings = python_config.validate(Settings, values, where)
    submission = Submission(_FLAGS.job, tuple(arguments[1:]), settings)
    if _FLAGS.target != "local":
        submission.check_paths()
    if _FLAGS.target != "local" or _FLAGS.dry_run:
        jobs.check_flags(submission.job, submission.flags)
    if code := TARGETS[_FLAGS.target](submission, _FLAGS.dry_run, _FLAGS.once):
        raise SystemExit(code)


def _check_serve(given: Sequence[str]) -> None:
    if _FLAGS.target != "kubernetes":
        raise UserInputError(
            f"--job serve --target {_FLAGS.target}: expected --target kubernetes. On one machine, "
            "docker/docker-compose.yml starts TensorFlow Serving: docker compose --file "
            "docker/docker-compose.yml up serving."
        )
    if given or _FLAGS.once:
        what = f"received {list(given)}" if given else "servers do not end, so --once has no end"
        raise UserInputError(f"--job serve has settings and no flags of its own: {what}.")


if __name__ == "__main__":
    main()
