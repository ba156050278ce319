"""Image, resources, volumes and other settings of what is submitted."""

import re
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    field_validator,
)
from pydantic.dataclasses import dataclass

from features.schema import STRICT
from pipeline.submission.setting_types import (
    Amount,
    DnsLabel,
    EnvironmentName,
    FileOrName,
    Image,
    LabelName,
    LabelValue,
    MountPath,
    MountSource,
    Text,
)

_VOLUME = re.compile(r"(?P<source>[^:]+):(?P<mount>/[^:]*)(?P<mode>:ro)?", re.DOTALL)
_RESERVED = ("TF_CONFIG", "TASK_INDEX")


@dataclass(frozen=True, config=STRICT)
class Volume:
    """A folder in the container.

    Attributes:
      source: a folder of the machine if it starts with a slash; else a named volume of Docker or
        a PersistentVolumeClaim of Kubernetes.
      mount: the folder's path in the container.
      read_only: whether the job may only read it.
    """

    source: MountSource
    mount: MountPath
    read_only: bool = False


def _parse_volume(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    match = _VOLUME.fullmatch(text)
    if match is None:
        raise ValueError("expected SOURCE:/MOUNT or SOURCE:/MOUNT:ro, such as ctr-data:/data")
    return Volume(match["source"], match["mount"], match["mode"] is not None)


@dataclass(frozen=True, config=STRICT)
class PodSettings:
    """What every pod is given, whatever runs in it.

    Attributes:
      image: of the container.
      name: of what is submitted.
      namespace: of Kubernetes.
      cpus: of a pod, requested and limit; also the size of its thread pools.
      memory_gib: of a pod, requested and limit.
      volumes: `SOURCE:/MOUNT[:ro]`, see `Volume`.
      environment: variables by name. They are printed and stored, so they must not be secrets.
      secrets: names of Kubernetes Secrets whose keys become variables.
      service_account: of Kubernetes, such as one with access to a bucket.
      node_selector: labels that a node of Kubernetes must have.
      kubernetes_version: of the cluster, `major.minor`; its schemas validate the manifests.
    """

    image: Image
    name: DnsLabel | None = None
    namespace: DnsLabel = "default"
    cpus: Amount = 2.0
    memory_gib: Amount = 8.0
    volumes: tuple[Annotated[Volume, BeforeValidator(_parse_volume)], ...] = ()
    environment: dict[EnvironmentName, Text] = Field(default_factory=dict)
    secrets: tuple[FileOrName, ...] = ()
    service_account: DnsLabel | None = None
    node_selector: dict[LabelName, LabelValue] = Field(default_factory=dict)
    kubernetes_version: Annotated[
        str, Field(pattern=r"^1\.[0-9]{1,4}$", coerce_numbers_to_str=True)
    ] = "1.31"

    @field_validator("kubernetes_version")
    @classmethod
    def _has_what_is_used(cls, version: str) -> str:
        if int(version.removeprefix("1.")) < 31:
            raise ValueError("expected 1.31 or newer, where podFailurePolicy is stable")
        return version

    @field_validator("volumes")
    @classmethod
    def _mounts_once(cls, volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
        mounts = [volume.mount for volume in volumes]
        if len(set(mounts)) < len(mounts):
            raise ValueError(f"each path can be mounted once, received {mounts}")
        return volumes


@dataclass(frozen=True, config=STRICT)
class Settings(PodSettings):
    """The settings of a submission; the target `local` uses `workers` and `environment` only.

    Attributes:
      image: built by docker/worker. Kubernetes requires a tag or a digest, so that a retry runs
        the same code.
      name: of the Job, its containers and their network; None for one that is derived from all
        settings and flags, so that the same submission twice is one Job.
      workers: processes that train one model together, through `TF_CONFIG`.
      port: on which workers talk to each other; `local` uses this port and the next ones.
      cpus: of a worker, requested and limit; also the size of its thread pools.
      memory_gib: of a worker, requested and limit.
      scratch_gib: size of `/tmp`, which is lost when the container ends. Docker keeps it in memory.
      volumes: `SOURCE:/MOUNT[:ro]`, see `Volume`. Several workers on several machines need a
        claim with ReadWriteMany for the model folder.
      secrets: names of Kubernetes Secrets whose keys become variables; with Docker, files of
        `NAME=VALUE` lines.
      retries: of a failed job, by Kubernetes. Exit code 75 and disruptions by the cluster are
        always retried and not counted; exit code 2 is never retried.
      grace_seconds: from SIGTERM to SIGKILL, for the job's last checkpoint.
      deadline_seconds: after which Kubernetes ends the Job, retries included; None for never.
      keep_seconds: how long Kubernetes keeps a finished Job and its logs.
    """

    image: Image = "dmf-worker"
    workers: Annotated[int, Field(ge=1, le=10_000)] = 1
    port: Annotated[int, Field(ge=1024, lt=65536)] = 2222
    scratch_gib: Amount = 4.0
    retries: NonNegativeInt = 3
    grace_seconds: PositiveInt = 120
    deadline_seconds: PositiveInt | None = None
    keep_seconds: NonNegativeInt = 7 * 24 * 3600

    @field_validator("environment")
    @classmethod
    def _leaves_ours_alone(cls, environment: dict[str, str]) -> dict[str, str]:
        if taken := sorted(set(environment) & set(_RESERVED)):
            raise ValueError(f"{', '.join(taken)} is made from `workers`: leave it out")
        return environment
