"""What is to be served: the settings, the rollout, and the versions that it names."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from absl import logging
from pydantic import TypeAdapter, ValidationError

from features.errors import UserInputError
from pipeline.runtime import plain_text
from pipeline.submission.serve_settings import ServeSettings
from pipeline.submission.setting_types import MountPath
from serving_signatures.export import batching_parameters
from serving_signatures.versions import served_memory
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.rollout import FILE_NAME, Rollout


@dataclass(frozen=True)
class Serving:
    """A model's rollout, to be served on Kubernetes.

    Attributes:
      settings: of the pods.
      rollout: TensorFlow Serving's model configuration.
      sizes: bytes of the files by served version.
    """

    settings: ServeSettings
    rollout: Rollout
    sizes: Mapping[int, int]

    @classmethod
    def read(cls, settings: ServeSettings) -> "Serving":
        """Reads the rollout in the model's folder.

        Raises:
          UserInputError: nothing is promoted there, nothing has the label, no volume holds the
            model, or the served versions do not fit the memory.
        """
        if not os.path.isdir(settings.export_dir):
            raise UserInputError(
                f"export_dir={settings.export_dir!r} is no folder here. Give --export_dir of "
                "pipeline.export, such as --set export_dir=serving/dmf."
            )
        folder = ExportFolder(settings.export_dir)
        plain_text.check(folder.name, "export_dir: the model's name")
        rollout = Rollout.read(folder.path, folder.name)
        if settings.label not in rollout.labels:
            raise UserInputError(
                f"label={settings.label!r}: no version has it in "
                f"{os.path.join(folder.path, FILE_NAME)!r} (labels are {dict(rollout.labels)}). "
                f"First run pipeline.models promote --export_dir {settings.export_dir} --label "
                f"{settings.label}."
            )
        _check_base_path(settings, rollout)
        versions = [folder.version(number) for number in sorted(rollout.served)]
        sizes = {version.number: version.bytes for version in versions}
        served_memory.check(sizes, settings.memory_gib, "memory_gib")
        for version in versions:
            if batching_parameters.FILE_NAME not in version.manifest["files"]:
                logging.warning(
                    "Version %d has no %s, as versions of earlier releases: its requests are not "
                    "batched. Export the model again.",
                    version.number,
                    batching_parameters.FILE_NAME,
                )
        return cls(settings, rollout, sizes)


def _check_base_path(settings: ServeSettings, rollout: Rollout) -> None:
    """Checks that the pods have the folder in which the configuration says that the model is."""
    path = rollout.base_path
    plain_text.check(path, f"{FILE_NAME}: base_path")
    try:
        normal = TypeAdapter(MountPath).validate_python(path)
    except ValidationError:
        normal = ""
    if normal != path:
        raise UserInputError(
            f"{FILE_NAME}: base_path {path!r}: expected a path from the root on, without a colon, "
            f"that is not / or /tmp. Promote again with --base_path /models/{rollout.name}."
        )
    mounts = [volume.mount for volume in settings.volumes]
    held = any(os.path.commonpath([path, mount]) == mount for mount in mounts)
    if settings.model_uri is None and not held:
        raise UserInputError(
            f"{FILE_NAME} says that servers find the model at {path!r}, and the pods have "
            f"{', '.join(mounts) or 'no volume'}. Mount the folder that holds it, such as "
            f"--volume ctr-models:{os.path.dirname(path)}:ro, or set model_uri."
        )
    if settings.model_uri is not None and held:
        raise UserInputError(
            f"model_uri={settings.model_uri!r} is copied to {path!r}, where a volume is mounted "
            f"({', '.join(mounts)}). Leave one of the two out."
        )
