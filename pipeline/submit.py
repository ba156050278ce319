"""Runs a job here, in Docker or on Kubernetes, or shows how.

    python -m pipeline.submit --job train --target kubernetes --set image=REGISTRY/dmf-worker:1 \
        --volume ctr-data:/data --dry_run -- --examples /data/examples --model_dir /data/model

What follows `--` are the job's own flags, which the job checks before anything is submitted.
"""

import os
import sys
from collections.abc import Sequence

from absl import flags, logging

from features.errors import UserInputError
from pipeline.runtime import entry_point, python_config
from pipeline.submission import commands, jobs, manifests
from pipeline.submission.processes import Command, ProcessGroup
from pipeline.submission.settings import Settings
from pipeline.submission.submission import Submission

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_enum("job", None, jobs.names(), "What to run.", required=True)
    targets = ["local", "docker", "kubernetes"]
    flags.DEFINE_enum("target", None, targets, "Where to run it.", required=True)
    flags.DEFINE_bool("dry_run", False, "Print what would run, and run nothing.")
    flags.DEFINE_string("config", None, "Python file with get_config(): settings.")
    flags.DEFINE_multi_string("set", [], "key=value of a setting, such as cpus=4; repeatable.")
    flags.DEFINE_multi_string("volume", [], "SOURCE:/MOUNT[:ro], one more of them; repeatable.")


def main() -> None:
    """The command `dmf-submit`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True)


def _main(arguments: Sequence[str]) -> None:
    submission = Submission(_FLAGS.job, _job_flags(arguments), _settings())
    if _FLAGS.target != "local":
        submission.check_paths()
    if _FLAGS.target != "local" or _FLAGS.dry_run:
        jobs.check_flags(submission.job, submission.flags)
    run = {"local": _local, "docker": _docker, "kubernetes": _kubernetes}[_FLAGS.target]
    if code := run(submission, _FLAGS.dry_run):
        raise SystemExit(code)


def _job_flags(arguments: Sequence[str]) -> tuple[str, ...]:
    if arguments and arguments[0] != "--":
        raise UserInputError(
            f"Unknown flag or argument {arguments[0]!r}. The job's own flags stand after a `--`, "
            "those of pipeline.submit before it (see --help)."
        )
    return tuple(arguments[1:])


def _settings() -> Settings:
    values = python_config.read(_FLAGS.config, _FLAGS.set)
    values["volumes"] = [*values.get("volumes", ()), *_FLAGS.volume]
    return python_config.validate(Settings, values, _FLAGS.config or "(defaults)")


def _local(submission: Submission, dry_run: bool) -> int:
    workers = commands.local(submission)
    return _print(workers) if dry_run else _run(workers, submission)


def _docker(submission: Submission, dry_run: bool) -> int:
    workers = commands.docker(submission)
    network = commands.docker_network(submission)
    if dry_run:
        return _print(workers, network)
    commands.need_docker_engine()
    if network is None:
        return _run(workers, submission)
    if code := _run([network[0]], submission):
        return code
    try:
        return _run(workers, submission)
    finally:
        _run([network[1]], submission)


def _kubernetes(submission: Submission, dry_run: bool) -> int:
    settings = submission.settings
    rendered = manifests.render(submission)
    manifests.validate(rendered, settings.kubernetes_version)
    text = manifests.to_yaml(rendered)
    kinds = ",".join(manifest["kind"].lower() for manifest in rendered)
    logging.info(
        "%s valid in Kubernetes %s; `kubectl apply -f -` reads them.",
        " and ".join(manifest["kind"] for manifest in rendered),
        settings.kubernetes_version,
    )
    if dry_run:
        sys.stdout.write(text)
        return 0
    if code := manifests.apply(text):
        return code
    kubectl = f"kubectl --namespace {settings.namespace}"
    logging.info("Follow: %s logs --follow job/%s", kubectl, submission.name)
    logging.info("Remove: %s delete %s %s", kubectl, kinds, submission.name)
    return 0


def _print(workers: Sequence[Command], around: tuple[Command, Command] | None = None) -> int:
    """Prints a shell script that does the same, but for the retries."""
    lines = [str(command) for command in workers]
    if len(workers) > 1:
        lines = [*(f"{line} &" for line in lines), "wait"]
    if around is not None:
        lines = [str(around[0]), *lines, str(around[1])]
    print("\n".join(lines))
    return 0


def _run(workers: Sequence[Command], submission: Submission) -> int:
    return ProcessGroup(workers, os.environ, submission.settings.grace_seconds).run()


if __name__ == "__main__":
    main()
