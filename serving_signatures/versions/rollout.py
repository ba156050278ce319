"""TF Serving's model configuration: which versions it serves, and under which labels."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from features.errors import UserInputError
from features.files import storage

FILE_NAME = "models.config"

_CHECKSUM = "# sha256 "
"""Begins the first line, a comment to TF Serving."""

STABLE = "stable"
CANARY = "canary"
PREVIOUS = "previous"
"""The stable version before this one: kept loaded, for rollback and for older caches."""


@dataclasses.dataclass(frozen=True)
class Rollout:
    """The model configuration of TF Serving, the one place that holds this state.

    TF Serving applies a changed configuration's labels before its versions, all or nothing: it
    refuses a configuration that moves a label to a version that is not loaded, each time that it
    reads it, and then loads no version either. So a version is first served without a label and
    gets a label in a later configuration. A version that loses its label stays served.

    Attributes:
      name: of the model.
      base_path: where the server finds the versions.
      labels: version by label.
      served: the versions to load, including all with a label.
    """

    name: str
    base_path: str
    labels: Mapping[str, int]
    served: frozenset[int]

    @classmethod
    def read(cls, folder: str, name: str, base_path: str | None = None) -> "Rollout":
        """Reads the configuration in a model's folder; without one, nothing is served.

        Args:
          folder: the model's folder.
          name: of the model.
          base_path: where the server finds it; None for the path in the configuration, or
            `/models/<name>`, where TF Serving's image looks.

        Raises:
          UserInputError: it cannot be parsed, was changed, or serves another model.
        """
        path = os.path.join(folder, FILE_NAME)
        if not os.path.exists(path):
            return cls(name, base_path or f"/models/{name}", {}, frozenset())
        try:
            text = storage.read_bytes(path).decode()
            _check_unchanged(path, text)
            config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        except (text_format.ParseError, UnicodeDecodeError, OSError) as error:
            raise UserInputError(
                f"{path!r} is no ModelServerConfig ({error}). Fix it, or move it away and "
                "promote the stable version again."
            ) from error
        models = config.model_config_list.config
        if [model.name for model in models] != [name]:
            raise UserInputError(
                f"{path!r} configures {[model.name for model in models]}, expected {[name]}: the "
                "model's name is the name of its folder."
            )
        (model,) = models
        served = frozenset(model.model_version_policy.specific.versions)
        labels = dict(model.version_labels)
        return cls(name, base_path or model.base_path, labels, served | set(labels.values()))

    def serve(self, version: int) -> "Rollout":
        """Returns the configuration with a further version loaded, without a label."""
        return self._with(self.labels, version)

    def promote(self, version: int, label: str) -> "Rollout":
        """Returns the configuration with a label at a version.

        Args:
          version: an intact version.
          label: `stable` or `canary`; the version that was stable is kept as `previous`.

        Raises:
          UserInputError: the label is in use and the version is not served yet.
        """
        holder = self.labels.get(label)
        if holder not in (None, version) and version not in self.served:
            raise UserInputError(
                f"Version {version} is not served yet, and TF Serving refuses to move a label to "
                f"a version that it has not loaded ({label} is at {holder}). First promote "
                f"--version {version} without --label; when the server says that it is "
                "AVAILABLE, promote it with the label."
            )
        labels = {**self.labels, label: version}
        if label == STABLE and holder not in (None, version):
            labels[PREVIOUS] = holder
        return self._with(labels, version)

    def rollback(self) -> "Rollout":
        """Returns the configuration with the previous stable version as the stable one.

        A canary label at the version that loses `stable` moves too. That version stays served,
        without a label, until the next promotion, so that clients which pinned it finish.

        Raises:
          UserInputError: there is no previous stable version.
        """
        if STABLE not in self.labels or PREVIOUS not in self.labels:
            raise UserInputError(
                f"There is no previous stable version to go back to (labels are "
                f"{dict(self.labels)}). Give the label to the version that you want: promote "
                f"--label {STABLE} --version N."
            )
        left, back = self.labels[STABLE], self.labels[PREVIOUS]
        labels = {
            name: back if version == left else version for name, version in self.labels.items()
        }
        del labels[PREVIOUS]
        return self._with(labels, left)

    def loaded_after(self, before: "Rollout") -> frozenset[int]:
        """Returns the versions that are in memory at one time after another configuration.

        TF Serving unloads what is no longer served first, while another version answers. Where
        nothing stays, it keeps the newest of the old ones until a new one has loaded.
        """
        if self.served & before.served or not before.served:
            return self.served
        return self.served | {max(before.served)}

    def render(self) -> str:
        """Returns the configuration as text."""
        config = model_server_config_pb2.ModelServerConfig()
        model = config.model_config_list.config.add(
            name=self.name, base_path=self.base_path, model_platform="tensorflow"
        )
        model.model_version_policy.specific.versions.extend(sorted(self.served))
        for label, version in sorted(self.labels.items()):
            model.version_labels[label] = version
        return text_format.MessageToString(config)

    def write(self, folder: str) -> None:
        """Writes the configuration at once: a reader sees the old one or the new one."""
        text = self.render()
        line = f"{_CHECKSUM}{_sha256(text)}, of the lines below. Remove this line to edit them.\n"
        storage.write_bytes(os.path.join(folder, FILE_NAME), f"{line}{text}".encode())

    def _with(self, labels: Mapping[str, int], version: int) -> "Rollout":
        served = frozenset({*labels.values(), version})
        return dataclasses.replace(self, labels=labels, served=served)


def _check_unchanged(path: str, text: str) -> None:
    """Compares a configuration with its first line; those of earlier releases have none."""
    first, _, rest = text.partition("\n")
    if first.startswith(_CHECKSUM) and f"{_CHECKSUM}{_sha256(rest)}" != first.partition(",")[0]:
        raise UserInputError(
            f"{path!r} was changed after it was written: its first line does not match the others. "
            "If you changed it on purpose, remove that line; else move the file away and promote "
            "the stable version again."
        )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
