"""`manifest.json`, written last, marks an output folder as a complete data set.

A folder without a manifest is an unfinished or failed write, and is never read as data. A manifest
carries a checksum of itself, and all files that it names lie below its folder: both are checked
whenever it is read. Manifests of earlier versions have no checksum.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from features.errors import UserInputError
from features.files import storage
from features.version import VERSION

FILE_NAME = "manifest.json"

_CHECKSUM, _FORMAT = "checksum", "manifest_version"
_VERSION = 2
_NAMING = ("files", "parts", "sha256", "shards", "state", "vocabulary")
"""Keys whose values name files or folders below the manifest's own."""

_FOREIGN = ("inputs", "parameters", "training")
"""Keys below which names are of other places."""


def write_manifest(folder: str, values: Mapping[str, Any]) -> None:
    """Writes the manifest atomically.

    Args:
      folder: local or remote, see `storage`; its other files are complete.
      values: JSON values; `code_version` and the checksum are added.
    """
    write_values(storage.join(folder, FILE_NAME), {**values, "code_version": VERSION})


def write_values(path: str, values: Mapping[str, Any]) -> None:
    """Writes a JSON object with its checksum, atomically, for `read_values`."""
    # As they are read back: keys are text, and tuples lists.
    plain = json.loads(json.dumps({**values, _FORMAT: _VERSION}))
    plain[_CHECKSUM] = _checksum(plain)
    storage.write_bytes(path, f"{json.dumps(plain, indent=2, sort_keys=True)}\n".encode())


def read_manifest(folder: str) -> dict[str, Any]:
    """Reads a folder's manifest.

    Raises:
      UserInputError: the folder has no manifest, or it is damaged, see `read_values`.
    """
    path = storage.join(folder, FILE_NAME)
    if not storage.is_file(path):
        raise UserInputError(
            f"{folder!r} has no {FILE_NAME}: it is not a complete data set. Give the folder that "
            "a finished job wrote, or run that job again."
        )
    return read_values(path)


def read_values(path: str) -> dict[str, Any]:
    """Reads a JSON object that `write_values` wrote.

    Raises:
      UserInputError: it is no JSON object, was changed since it was written, or names a file
        outside its folder.
    """
    try:
        values = json.loads(storage.read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise UserInputError(
            f"{path!r} is not JSON ({error}). Write the data set again."
        ) from error
    if not isinstance(values, dict):
        raise UserInputError(f"{path!r} holds {values!r:.80}, expected a JSON object.")
    if (_CHECKSUM in values or _FORMAT in values) and values.get(_CHECKSUM) != _checksum(values):
        raise UserInputError(
            f"{path!r} was changed after it was written: its {_CHECKSUM} does not match its "
            f"values. Copy or write the data set again. If you changed it on purpose, remove "
            f"{_CHECKSUM!r} and {_FORMAT!r} from it."
        )
    for name in _names(values):
        if not _is_below(name):
            raise UserInputError(
                f"{path!r} names the file {name!r:.200}, expected a name below its own folder. "
                "Do not use this folder unless you know who wrote it."
            )
    return values


def without_marks(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what was given to `write_values`, from what `read_values` returned."""
    return {key: value for key, value in values.items() if key not in (_CHECKSUM, _FORMAT)}


def below(folder: str, name: str) -> str:
    """Returns the path of a file that a manifest names.

    Raises:
      UserInputError: the name leads out of the folder.
    """
    if not _is_below(name):
        raise UserInputError(f"{name!r:.200} leads out of {folder!r}, expected a name below it.")
    return storage.join(folder, name)


def _checksum(values: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in values.items() if key != _CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _names(values: Mapping[str, Any]) -> Iterator[object]:
    """Yields all that stands where a manifest names a file."""
    for key, value in values.items():
        if key in _NAMING and isinstance(value, dict | list):
            # An entry without `file` says something else: others write manifests too.
            entries = (one for one in value if not isinstance(one, dict) or "file" in one)
            yield from (one["file"] if isinstance(one, dict) else one for one in entries)
        if key not in _FOREIGN and isinstance(value, dict):
            yield from _names(value)


def _is_below(name: object) -> bool:
    """Whether a name stays below the folder that it is joined to."""
    if not isinstance(name, str) or "\0" in name or "://" in name:
        return False
    return all(part not in ("", ".", "..") for part in name.split("/"))
