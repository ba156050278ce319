"""Settings of the servers that `--job serve` starts on Kubernetes."""

from typing import Annotated

from pydantic import Field, PositiveInt, field_validator, model_validator
from pydantic.dataclasses import dataclass

from features.files import storage
from features.schema import STRICT
from pipeline.submission.setting_types import DnsLabel, FileOrName, Image
from pipeline.submission.settings import PodSettings
from serving_signatures.versions.rollout import STABLE


@dataclass(frozen=True, config=STRICT)
class ServeSettings(PodSettings):
    """The settings of TensorFlow Serving on Kubernetes.

    Attributes:
      image: of TensorFlow Serving, by tag or digest; of the minor version that exports, or newer.
      name: of the Deployment and of the Service, the host that clients call; the same at each
        submission.
      export_dir: the model's folder here, with the `models.config` that `promote` wrote. It is
        read at the submission and given to the pods.
      model_uri: the model's folder in an object store; None where a volume holds it. Each pod
        copies the served versions when it starts.
      worker_image: built by docker/worker; copies from `model_uri`.
      label: a pod is ready when the version of this label is AVAILABLE.
      min_replicas: pods at least.
      max_replicas: pods at most; the autoscaler is between the two.
      cpu_percent: of `cpus`, in the mean over the pods; the autoscaler adds pods above it.
      load_seconds: how long a pod may take to load its versions; then its container starts again.
      drain_seconds: how long a pod that is to end still answers, while clients learn of it.
      cpus: of a pod, requested and limit; also the threads of the model and of its batches.
      memory_gib: of a pod, requested and limit. Versions that do not fit it are refused.
      secrets: names of Kubernetes Secrets with the credentials for `model_uri`.
    """

    export_dir: FileOrName = Field(kw_only=True)
    image: Image = "tensorflow/serving:2.16.1"
    name: DnsLabel = "dmf-serve"
    model_uri: FileOrName | None = None
    worker_image: Image = "dmf-worker"
    label: str = STABLE
    min_replicas: PositiveInt = 2
    max_replicas: PositiveInt = 4
    cpu_percent: Annotated[int, Field(ge=1, le=100)] = 60
    load_seconds: Annotated[int, Field(ge=10, le=86_400)] = 600
    drain_seconds: Annotated[int, Field(ge=3, le=3_600)] = 90

    @field_validator("model_uri")
    @classmethod
    def _is_remote(cls, uri: str | None) -> str | None:
        if uri is not None and not storage.is_remote(uri):
            raise ValueError("expected a URI such as s3://bucket/dmf; give a claim as a volume")
        return uri

    @model_validator(mode="after")
    def _fits_together(self) -> "ServeSettings":
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas={self.max_replicas} is below min_replicas={self.min_replicas}"
            )
        if self.secrets and self.model_uri is None:
            raise ValueError("secrets are for model_uri: a model on a volume needs none")
        return self
