"""A submission as Kubernetes manifests.

One worker is a Job; several are an Indexed Job and a headless Service. JobSet and Kubeflow's
Trainer would have to be installed in the cluster first, and have schemas of their own. The pods of
an Indexed Job have the host names `<job>-<index>`, however often they are replaced. So the
addresses of all workers are known beforehand, and Kubernetes sets the index in `TF_CONFIG`.
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from features.errors import UserInputError
from pipeline.runtime import exit_codes
from pipeline.submission import jobs, pods
from pipeline.submission.pods import Manifest
from pipeline.submission.settings import Settings
from pipeline.submission.submission import Submission, tf_config

CONTAINER = "job"
"""Name of a pod's only container."""
_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def render(submission: Submission, once: bool = False) -> list[Manifest]:
    """Returns the manifests in the order in which they are applied.

    Args:
      submission: what to run.
      once: any failure of the job ends the Job, 75 too: who waits for it decides what follows.

    Raises:
      UserInputError: the image has neither a digest nor a tag other than `latest`, or a claim or
        a secret has no name of Kubernetes.
    """
    settings = submission.settings
    pods.check_image(settings.image)
    pods.check_names(settings)
    labels = pods.labels(submission.job.replace("_", "-"))
    metadata = {"name": submission.name, "namespace": settings.namespace, "labels": labels}
    job: Manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0 if once else settings.retries,
            # Never two pods of one worker: they would write the same folder.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules(once)},
            "ttlSecondsAfterFinished": settings.keep_seconds,
            "template": {"metadata": {"labels": labels}, "spec": _pod(submission)},
        },
    }
    if settings.deadline_seconds is not None:
        job["spec"]["activeDeadlineSeconds"] = settings.deadline_seconds
    if settings.workers == 1:
        return [job]
    job["spec"] |= {
        "completionMode": "Indexed",
        "completions": settings.workers,
        "parallelism": settings.workers,
    }
    return [_service(submission.name, settings, metadata), job]


def validate(manifests: Sequence[Manifest], version: str) -> None:
    """Validates manifests by the official schemas of a version, `major.minor`, of Kubernetes.

    Unknown fields are errors.

    Raises:
      UserInputError: a manifest is not valid, and the field is named; or the validator is not
        installed or has no schemas of the version.
    """
    try:
        import kubernetes_validate
        from kubernetes_validate import utils
    except ImportError as error:
        raise UserInputError(
            "--target kubernetes needs kubernetes-validate. Install dmf-ctr with its extra "
            "`submit`: pip install 'dmf-ctr[submit]'."
        ) from error
    known = [utils.major_minor(one) for one in utils.all_versions()]
    if version not in known:
        raise UserInputError(
            f"kubernetes_version={version}: the schemas here are of {known[0]} to {known[-1]}. "
            "Give one of these."
        )
    for manifest in manifests:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(map(str, [manifest["kind"], *error.path]))
            raise UserInputError(
                f"{where} is not valid in Kubernetes {version}: {error.message}"
            ) from error


def apply(text: str) -> int:
    """Applies manifests, as YAML, with `kubectl` and returns its exit code.

    Raises:
      UserInputError: there is no `kubectl`.
    """
    need_kubectl()
    return subprocess.run(["kubectl", "apply", "-f", "-"], input=text.encode()).returncode


def need_kubectl() -> None:
    """Checks that there is a `kubectl`.

    Raises:
      UserInputError: there is none.
    """
    if shutil.which("kubectl") is None:
        raise UserInputError(
            "--target kubernetes: no `kubectl` in PATH. Install it, or print the manifests with "
            "--dry_run and apply them elsewhere."
        )


def _failure_rules(once: bool) -> list[Manifest]:
    """Returns the rules for failed pods; other failures count against `backoffLimit`."""
    code_in = {"containerName": CONTAINER, "operator": "In"}
    by_code: list[Manifest] = [
        {"action": "FailJob", "onExitCodes": {**code_in, "values": [exit_codes.USER_ERROR]}},
        {"action": "Ignore", "onExitCodes": {**code_in, "values": [exit_codes.RETRY]}},
    ]
    return [
        *([] if once else by_code),
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]


def _pod(submission: Submission) -> Manifest:
    settings = submission.settings
    scratch = pods.empty_folder(round(settings.scratch_gib * 1024))
    volumes = [("scratch", "/tmp", False, scratch)]
    for index, volume in enumerate(settings.volumes):
        source = pods.volume_source(volume)
        volumes.append((f"volume-{index}", volume.mount, volume.read_only, source))
    container: Manifest = {
        "name": CONTAINER,
        "image": settings.image,
        "args": [pods.literal(word) for word in jobs.command(submission.job, submission.flags)],
        "env": _environment(submission),
        **pods.environment_from(settings),
        **pods.container_limits(settings),
        "volumeMounts": [
            {"name": name, "mountPath": mount, **({"readOnly": True} if read_only else {})}
            for name, mount, read_only, _ in volumes
        ],
    }
    pod: Manifest = {
        # Required by podFailurePolicy: a new pod, not a new container, follows a failure.
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": settings.grace_seconds,
        **pods.pod_limits(settings),
        "containers": [container],
        "volumes": [{"name": name, **source} for name, _, _, source in volumes],
    }
    if settings.workers > 1:
        container["ports"] = [{"name": "worker", "containerPort": settings.port}]
        pod["subdomain"] = submission.name
    return pod


def _environment(submission: Submission) -> list[Manifest]:
    settings, name = submission.settings, submission.name
    variables: list[Manifest] = [
        {"name": variable, "value": pods.literal(value)}
        for variable, value in submission.container_environment.items()
    ]
    if settings.workers > 1:
        hosts = [f"{name}-{index}.{name}:{settings.port}" for index in range(settings.workers)]
        # The order matters: only variables above are expanded.
        variables.append({"name": "TASK_INDEX", "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}})
        variables.append({"name": "TF_CONFIG", "value": tf_config(hosts, "$(TASK_INDEX)")})
    return variables


def _service(name: str, settings: Settings, metadata: Mapping[str, Any]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",
            # Workers wait for each other before any of them is ready.
            "publishNotReadyAddresses": True,
            "selector": {"batch.kubernetes.io/job-name": name},
            "ports": [{"name": "worker", "port": settings.port}],
        },
    }
