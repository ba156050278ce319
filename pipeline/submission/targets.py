"""Runs a submission on this machine, in Docker or on Kubernetes, or prints what would run."""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from absl import logging

from pipeline.submission import commands, manifests, serve_manifests, yaml_text
from pipeline.submission.awaited_job import AwaitedJob
from pipeline.submission.pods import Manifest
from pipeline.submission.processes import Command, ProcessGroup
from pipeline.submission.serving import Serving
from pipeline.submission.settings import PodSettings
from pipeline.submission.submission import Submission


def _local(submission: Submission, dry_run: bool, once: bool) -> int:
    workers = commands.local(submission)
    return _print(workers) if dry_run else _run(workers, submission, once)


def _docker(submission: Submission, dry_run: bool, once: bool) -> int:
    workers = commands.docker(submission)
    network = commands.docker_network(submission)
    if dry_run:
        return _print(workers, network)
    commands.need_docker_engine()
    for create in network[:1]:
        if code := _run([create], submission):
            return code
    try:
        return _run(workers, submission, once)
    finally:
        for remove in network[1:]:
            _run([remove], submission)


def _kubernetes(submission: Submission, dry_run: bool, once: bool) -> int:
    settings = submission.settings
    rendered = manifests.render(submission, once)
    text = _checked_text(rendered, settings)
    if dry_run:
        sys.stdout.write(text)
        return 0
    if once:
        return AwaitedJob(submission.name, settings.namespace, text).run()
    if code := manifests.apply(text):
        return code
    kinds = ",".join(manifest["kind"].lower() for manifest in rendered)
    kubectl = f"kubectl --namespace {settings.namespace}"
    logging.info("Follow: %s logs --follow job/%s", kubectl, submission.name)
    logging.info("Remove: %s delete %s %s", kubectl, kinds, submission.name)
    return 0


def serve(serving: Serving, dry_run: bool) -> int:
    """Applies the manifests of servers, or prints them; returns an exit code.

    Raises:
      UserInputError: a manifest is not valid, or there is no `kubectl`.
    """
    settings = serving.settings
    text = _checked_text(serve_manifests.render(serving), settings)
    if dry_run:
        sys.stdout.write(text)
        return 0
    if code := manifests.apply(text):
        return code
    kubectl = f"kubectl --namespace {settings.namespace}"
    logging.info("Follow: %s rollout status deployment/%s", kubectl, settings.name)
    logging.info("Go back: %s rollout undo deployment/%s", kubectl, settings.name)
    selector = f"app.kubernetes.io/instance={settings.name}"
    kinds = "deployment,service,configmap,horizontalpodautoscaler,poddisruptionbudget"
    logging.info("Remove: %s delete %s --selector %s", kubectl, kinds, selector)
    return 0


def _checked_text(rendered: Sequence[Manifest], settings: PodSettings) -> str:
    """Returns valid manifests as YAML."""
    manifests.validate(rendered, settings.kubernetes_version)
    text = yaml_text.write(rendered)
    logging.info(
        "%s valid in Kubernetes %s; apply them with `kubectl apply -f -`.",
        " and ".join(manifest["kind"] for manifest in rendered),
        settings.kubernetes_version,
    )
    return text


def _print(workers: Sequence[Command], network: Sequence[Command] = ()) -> int:
    """Prints the commands as a shell script, without the retries."""
    lines = [str(command) for command in workers]
    if len(workers) > 1:
        lines = [*(f"{line} &" for line in lines), "wait"]
    print("\n".join([*map(str, network[:1]), *lines, *map(str, network[1:])]))
    return 0


def _run(workers: Sequence[Command], submission: Submission, once: bool = False) -> int:
    return ProcessGroup(workers, submission.settings.grace_seconds).run(once)


TARGETS: Mapping[str, Callable[[Submission, bool, bool], int]] = MappingProxyType(
    {"local": _local, "docker": _docker, "kubernetes": _kubernetes}
)
"""By name: runs a submission and returns an exit code.

The second argument is true to print it instead, the third to run it once, whatever it ends with.
"""
