"""A version in a model's folder, described by its manifest."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from features import id_kinds
from features.errors import UserInputError
from features.files import checked, manifest, storage
from features.id_kinds import Kind
from serving_signatures.versions import manifest_check

EXTRAS = "assets.extra"
"""The folder of a SavedModel that TF Serving does not read; it holds the manifest."""

_REMEDY = "Copy the version again from where it was exported, or export the model again."


@dataclasses.dataclass(frozen=True)
class ExportedVersion:
    """A complete export.

    Attributes:
      number: the version.
      folder: `<export_dir>/<number>`.
      manifest: written by export: `tags`, `caches`, `created`, `parity`, `files` and more.
    """

    number: int
    folder: str
    manifest: Mapping[str, Any]

    @classmethod
    def read(cls, folder: str) -> "ExportedVersion":
        """Reads a version's manifest.

        Raises:
          UserInputError: it has none, or one that `pipeline.export` did not write.
        """
        values = read_values(folder)
        if not {"files", "created", "caches"} <= values.keys():
            raise UserInputError(
                f"{folder!r} lacks files, created or caches in its {manifest.FILE_NAME}: it was "
                "not written by this version of pipeline.export. Export the model again."
            )
        return cls(int(os.path.basename(folder)), folder, values)

    @property
    def tags(self) -> Mapping[str, str]:
        """Cache tag by name; empty for a model without split signatures."""
        return self.manifest.get("tags", {})

    @property
    def foreign_ops(self) -> tuple[str, ...]:
        """The ops that a server needs besides TensorFlow's own."""
        return _foreign_ops(self.manifest)

    @property
    def manifest_sha256(self) -> str:
        """The sha256 of its manifest, which has those of all other files: what the version is."""
        return checked.sha256(os.path.join(self.folder, EXTRAS, manifest.FILE_NAME))

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(file["bytes"] for file in self.manifest["files"].values())

    def damage(self, contents: bool = True) -> list[str]:
        """Returns what is wrong with its files, one short text per file; empty if intact.

        Args:
          contents: compare sha256 too, which reads every byte; otherwise sizes alone.
        """
        return _damage(self.folder, self.manifest["files"], contents)


def check_files(folder: str, values: Mapping[str, Any] | None = None) -> None:
    """Checks that a version's files are those that were exported, before or after they are read.

    Args:
      folder: the version's, local or remote; only sizes are compared of a remote one. A
        SavedModel that `pipeline.export` did not write has nothing to compare with.
      values: of its manifest as it was read before; None to read it.

    Raises:
      UserInputError: its manifest, or a file, is damaged; names it.
    """
    if values is None:
        if not storage.is_file(storage.join(folder, EXTRAS, manifest.FILE_NAME)):
            return
        values = read_values(folder)
    damage = _damage(folder, values.get("files", {}), contents=True)
    if damage:
        raise UserInputError(f"{folder!r} is damaged: {'; '.join(damage[:3])}. {_REMEDY}")


def load_ops(folder: str) -> None:
    """Loads the ops that a version needs besides TensorFlow's own; call it before its SavedModel.

    Raises:
      UserInputError: they are not there.
    """
    if not storage.is_file(storage.join(folder, EXTRAS, manifest.FILE_NAME)):
        return
    needed = set(_foreign_ops(read_values(folder)))
    if not needed:
        return
    from kernels import library  # It loads TensorFlow, which a list of versions does without.

    if unknown := sorted(needed - set(library.OPS)):
        raise UserInputError(
            f"{folder!r} needs the ops {unknown}, which this release does not have. Install the "
            "one that exported it, or export the model again."
        )
    library.load()


def read_values(folder: str) -> dict[str, Any]:
    """Returns the values of a version's manifest.

    Args:
      folder: the version's, local or remote.

    Raises:
      UserInputError: there is no manifest, or it is damaged.
    """
    extras = storage.join(folder, EXTRAS)
    if not storage.is_file(storage.join(extras, manifest.FILE_NAME)):
        raise UserInputError(
            f"{folder!r} has no {EXTRAS}/{manifest.FILE_NAME}. Give a version's folder that "
            "`python -m pipeline.export` wrote, such as serving/dmf/1."
        )
    values = manifest.read_manifest(extras)
    manifest_check.check(storage.join(extras, manifest.FILE_NAME), values)
    return values


def item_kind_of(folder: str) -> Kind | None:
    """Returns what the item ids of an exported version are, None for one of an earlier version.

    Args:
      folder: the version's, local or remote, such as `serving/dmf/1`.

    Raises:
      UserInputError: there is no manifest.
    """
    return id_kinds.item_kind(schema_of(folder))


def schema_of(folder: str) -> dict[str, Any]:
    """Returns the values of a version's schema.

    Raises:
      UserInputError: its manifest has none, or is damaged.
    """
    values = read_values(folder)
    if "schema" not in values:
        raise UserInputError(
            f"{storage.join(folder, EXTRAS, manifest.FILE_NAME)!r} has no schema: pipeline.export "
            "did not write it. Export the model again."
        )
    return dict(values["schema"])


def _foreign_ops(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns what the export found in the graph besides TensorFlow's own ops."""
    return tuple((values.get("parity") or {}).get("foreign_ops", ()))


def list_files(folder: str) -> dict[str, dict[str, Any]]:
    """Returns bytes and sha256 of every file below a folder, by relative path."""
    return {
        os.path.relpath(os.path.join(parent, name), folder): checked.fingerprint(
            os.path.join(parent, name)
        )
        for parent, _, names in os.walk(folder)
        for name in names
    }


def _damage(folder: str, files: Mapping[str, Any], contents: bool) -> list[str]:
    found = []
    for name, expected in sorted(files.items()):
        path = storage.join(folder, name)
        try:
            size = storage.size(path)
            if size != expected["bytes"]:
                found.append(f"{name} has {size} bytes instead of {expected['bytes']}")
            elif contents and not _has_sha256(path, expected["sha256"]):
                found.append(f"{name} has another sha256")
        except FileNotFoundError:
            found.append(f"{name} is missing")
        except OSError as error:
            found.append(f"{name} cannot be read: {error}")
    return found


def _has_sha256(path: str, expected: str) -> bool:
    return storage.is_remote(path) or checked.sha256(path) == expected
