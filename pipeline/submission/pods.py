"""What all pods have in common: names, resources, volumes and the restricted security standard."""

import re
from typing import Any

from features.errors import UserInputError
from features.version import VERSION
from pipeline.submission.settings import PodSettings, Volume

Manifest = dict[str, Any]

_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_LONGEST_OBJECT = 253
_USER = 10001


def check_image(image: str, setting: str = "image") -> None:
    """Checks that an image cannot change between two starts.

    Raises:
      UserInputError: it has neither a digest nor a tag other than `latest`.
    """
    name = image.rpartition("/")[2]
    if "@sha256:" not in image and (":" not in name or name.endswith(":latest")):
        raise UserInputError(
            f"{setting}={image!r}: expected a tag other than latest, or a digest, such as "
            f"--set {setting}=REGISTRY/dmf-worker:{VERSION}. Otherwise a retry may run other code."
        )


def check_names(settings: PodSettings) -> None:
    """Checks the names of claims and Secrets.

    Raises:
      UserInputError: one is no name of Kubernetes.
    """
    claims = [one.source for one in settings.volumes if not one.source.startswith("/")]
    for setting, names in (("volumes", claims), ("secrets", settings.secrets)):
        for name in names:
            if not _OBJECT.fullmatch(name) or len(name) > _LONGEST_OBJECT:
                raise UserInputError(
                    f"{setting}: {name!r} is no name of Kubernetes. Expected lower-case letters, "
                    "digits, dots and dashes, such as ctr-data."
                )


def literal(text: str) -> str:
    """Returns a word or value that a container gets as it is.

    Kubernetes expands `$(NAME)` and reads `$$` as a dollar.
    """
    return text.replace("$", "$$")


def labels(component: str) -> dict[str, str]:
    """Returns the labels of every object."""
    return {
        "app.kubernetes.io/name": "dmf-ctr",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "dmf-submit",
    }


def volume_source(volume: Volume) -> Manifest:
    """Returns where a volume of a pod comes from."""
    if volume.source.startswith("/"):
        return {"hostPath": {"path": volume.source, "type": "Directory"}}
    claim = {"claimName": volume.source, **({"readOnly": True} if volume.read_only else {})}
    return {"persistentVolumeClaim": claim}


def empty_folder(mib: int) -> Manifest:
    """Returns the source of a folder that lives as long as its pod."""
    return {"emptyDir": {"sizeLimit": f"{mib}Mi"}}


def container_limits(settings: PodSettings) -> Manifest:
    """Returns the fields of a container that bound what it takes and may do."""
    amounts = {
        "cpu": f"{round(settings.cpus * 1000)}m",
        "memory": f"{round(settings.memory_gib * 1024)}Mi",
    }
    return {
        # Equal, so that the pod is among the last to be evicted.
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def environment_from(settings: PodSettings) -> Manifest:
    """Returns the field of a container that turns the keys of Secrets into variables, if any."""
    sources = [{"secretRef": {"name": name}} for name in settings.secrets]
    return {"envFrom": sources} if sources else {}


def pod_limits(settings: PodSettings) -> Manifest:
    """Returns the fields of a pod that say where it may run and what it may do."""
    pod: Manifest = {
        "automountServiceAccountToken": False,
        # Otherwise the program is process 1, which SIGTERM does not end unless it is handled.
        "shareProcessNamespace": True,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if settings.service_account is not None:
        pod["serviceAccountName"] = settings.service_account
    if settings.node_selector:
        pod["nodeSelector"] = dict(settings.node_selector)
    return pod
