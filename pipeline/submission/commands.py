"""A submission as commands for this machine: the job itself, or `docker run`."""

import shutil
import subprocess
import sys
from collections.abc import Sequence

from features.errors import UserInputError
from pipeline.submission import jobs
from pipeline.submission.processes import Command
from pipeline.submission.submission import Submission, tf_config


def local(submission: Submission) -> list[Command]:
    """Returns a process for each worker, in this environment."""
    settings = submission.settings
    words = jobs.command(submission.job, submission.flags, sys.executable)
    ports = range(settings.port, settings.port + settings.workers)
    hosts = [f"localhost:{port}" for port in ports]
    return [
        Command(words, {**settings.environment, **variables})
        for variables in _cluster_variables(hosts)
    ]


def docker(submission: Submission) -> list[Command]:
    """Returns a `docker run` for each worker.

    The options match the Kubernetes manifest. `--restart` is not given, because Docker would retry
    wrong input too: this process retries, and only exit code 75.
    """
    settings = submission.settings
    names = [f"{submission.name}-{index}" for index in range(settings.workers)]
    memory = f"{round(settings.memory_gib * 1024)}m"
    shared = [
        *("--rm", "--init", "--stop-timeout", str(settings.grace_seconds)),
        *("--cpus", f"{settings.cpus:g}", "--memory", memory, "--memory-swap", memory),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"),
        *("--tmpfs", f"/tmp:mode=1777,size={round(settings.scratch_gib * 1024)}m"),
    ]
    for volume in settings.volumes:
        mode = ":ro" if volume.read_only else ""
        shared += ["--volume", f"{volume.source}:{volume.mount}{mode}"]
    for file in settings.secrets:
        shared += ["--env-file", file]
    if settings.workers > 1:
        shared += ["--network", submission.name]
    words = jobs.command(submission.job, submission.flags)
    commands = []
    hosts = [f"{name}:{settings.port}" for name in names]
    for name, variables in zip(names, _cluster_variables(hosts), strict=True):
        environment = {**submission.container_environment, **variables}
        given = [word for item in environment.items() for word in ("--env", "=".join(item))]
        commands.append(
            # After `--` nothing is an option of `docker run`, whatever an image is called.
            Command(
                ["docker", "run", "--name", name, *shared, *given, "--", settings.image, *words]
            )
        )
    return commands


def docker_network(submission: Submission) -> list[Command]:
    """Returns the commands that create and remove the workers' network; none for one worker."""
    verbs = ("create", "rm") if submission.settings.workers > 1 else ()
    return [Command(["docker", "network", verb, submission.name]) for verb in verbs]


def need_docker_engine() -> None:
    """Checks that a Docker engine answers.

    Raises:
      UserInputError: there is no `docker` command, or no engine answers it.
    """
    hint = "Start one, or see with --dry_run what would run."
    if shutil.which("docker") is None:
        raise UserInputError(f"--target docker: no `docker` in PATH. {hint}")
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserInputError(
            f"--target docker: no Docker engine answers ({done.stderr.strip()}). {hint}"
        )


def _cluster_variables(hosts: Sequence[str]) -> list[dict[str, str]]:
    """Returns the variables of each worker; a single worker has none."""
    if len(hosts) == 1:
        return [{}]
    return [{"TF_CONFIG": tf_config(list(hosts), index)} for index in range(len(hosts))]
