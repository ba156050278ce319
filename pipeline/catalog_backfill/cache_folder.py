"""Writer side of a projection cache."""

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

import numpy as np
from absl import logging
from pydantic import Field, StrictStr
from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.files import manifest, storage, structure, versions
from features.files.file_system import local_path
from features.version import VERSION
from pipeline.catalog_backfill import cache_part
from serving_signatures.client import cache_parts, cache_version
from serving_signatures.client.cache_parts import ITEM_ID

RECOMPUTE = "Run the backfill with --recompute, which computes every row again."
"""What to do about rows that are not the model's."""

_WORK = "building"

_SHA256 = "[0-9a-f]{64}"
_UNIQUE = "[0-9a-f]{32}"
_PARTS = re.compile(rf"{_SHA256}\.parquet")
_VERSIONS = re.compile(r"[0-9]{6,9}\.json")
_NOTES = re.compile(rf"{_SHA256}\.json")
_ARRAYS = re.compile(rf"work-{_UNIQUE}")


@dataclass(frozen=True)
class _Note:
    """What a worker says of a part: its entry, or why there is none."""

    key: Annotated[StrictStr, Field(pattern=rf"^{_SHA256}$")]
    entry: cache_version.Part | None = None
    error: StrictStr | None = None


class CacheFolder:
    """One of the two caches of an output.

    While a job runs, `building/` holds the arrays that its workers map, and one note per finished
    part, named by a hash of all that the part depends on. A rerun after a killed job reuses the
    parts whose notes it finds. Only files of these names are ever removed.

    Args:
      output: the backfill's output, local or remote.
      cache: its name.

    Attributes:
      path: its folder.
    """

    def __init__(self, output: str, cache: str):
        self.cache, self.path = cache, storage.join(output, cache)
        self._output = output
        self._files = {
            self.path: re.compile(versions.POINTER),
            storage.join(self.path, cache_parts.FOLDER): _PARTS,
            storage.join(self.path, versions.FOLDER): _VERSIONS,
            storage.join(self.path, _WORK): _NOTES,
        }

    def check(self) -> None:
        """Refuses files where folders are to be and folders where files are, and a wrong pointer.

        Raises:
          UserInputError: names it.
        """
        for folder in (self._output, *self._files):
            if storage.is_file(folder):
                raise UserInputError(
                    f"--output: {folder!r} is a file, expected a folder or nothing. Move it away, "
                    "or choose another --output."
                )
        for folder, names in self._files.items():
            for name in filter(names.fullmatch, storage.list_folders(folder)):
                raise UserInputError(
                    f"--output: {storage.join(folder, name)!r} is a folder, expected a file or "
                    "nothing. Move it away, or choose another --output."
                )
        versions.published(self.path, ".json")

    def published(self) -> dict[str, Any] | None:
        """Returns the manifest of the published version, None where there is none.

        Raises:
          UserInputError: the version that the pointer names is damaged, or not there.
        """
        version = versions.current(self.path)
        return None if version is None else cache_version.read_version(self.path, version)

    def read_ids(self, part: Mapping[str, Any], tag: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns a part's item ids and sources, `[N]` int64 each; sources 0 where it has none.

        All that readers check of a part is checked, but for its outputs.

        Raises:
          DamagedPartError: it is not as its entry says, or is of another tag.
        """
        wanted = [ITEM_ID, *([cache_part.SOURCE] if cache_part.has_source(self.cache) else [])]
        columns = cache_parts.read(self.path, part, tag, wanted).columns
        item_ids = columns[0].to_numpy()
        return item_ids, columns[1].to_numpy() if len(columns) > 1 else np.zeros_like(item_ids)

    def note(self, key: str) -> dict[str, Any] | None:
        """Returns the note of a part, with `entry` or `error`; None where there is no whole one."""
        path = self._note_path(key)
        if not storage.is_file(path):
            return None
        try:
            values = manifest.read_values(path)
            structure.check(_Note, values, repr(path), "Run the backfill again.")
        except UserInputError:
            return None
        return values if values["key"] == key and len(values.keys() & {"entry", "error"}) else None

    def write_note(self, key: str, note: Mapping[str, Any]) -> None:
        """Writes the note of a part.

        Args:
          key: of the part.
          note: its `entry` in a version's manifest, or the `error` that kept it from being written.
        """
        manifest.write_values(self._note_path(key), {"key": key, **note})

    def new_work(self) -> str:
        """Returns a folder for arrays that workers map, and removes what killed jobs left."""
        for folder, names in self._files.items():
            unfinished = re.compile(rf"({names.pattern})\.{_UNIQUE}\.tmp")
            _remove(folder, unfinished.fullmatch)
        self._remove_arrays()
        return storage.join(self.path, _WORK, f"work-{uuid.uuid4().hex}")

    def publish(self, values: Mapping[str, Any]) -> int:
        """Writes a version's manifest, makes it the published one and returns its number.

        A higher number that is there was never published, or was rolled back.
        """
        number = (versions.current(self.path) or 0) + 1
        values = {**values, "version": number, "code_version": VERSION}
        manifest.write_values(cache_version.path_of(self.path, number), values)
        cache_version.read_version(self.path, number)
        versions.publish(self.path, number)
        return number

    def prune(self, keep: int) -> None:
        """Removes all but the newest published versions, and parts that none of them names."""
        published = versions.current(self.path)
        if published is None:
            return
        kept = versions.kept(versions.numbers(self.path), published, keep)
        files = {storage.base_name(cache_version.path_of(self.path, number)) for number in kept}
        # Manifests go first, so that no manifest names a part that is gone.
        _keep_only(storage.join(self.path, versions.FOLDER), _VERSIONS, files)
        named = self._parts_of(kept)
        if named is not None:
            _keep_only(storage.join(self.path, cache_parts.FOLDER), _PARTS, named)
        self.forget()

    def forget(self) -> None:
        """Removes the notes of finished parts and the arrays that workers mapped."""
        self._remove_arrays()
        folder = storage.join(self.path, _WORK)
        _keep_only(folder, _NOTES, ())
        if not storage.is_remote(folder):
            with contextlib.suppress(OSError):
                os.rmdir(local_path(folder))

    def _parts_of(self, numbers: Collection[int]) -> set[str] | None:
        """Returns the parts that versions name, None where one of them cannot be read."""
        try:
            found = [cache_version.read_version(self.path, number) for number in numbers]
        except UserInputError as error:
            logging.warning("No part is removed, as an earlier version is damaged: %s", error)
            return None
        return {part["file"] for values in found for part in values["parts"]}

    def _note_path(self, key: str) -> str:
        return storage.join(self.path, _WORK, f"{key}.json")

    def _remove_arrays(self) -> None:
        work = storage.join(self.path, _WORK)
        for name in storage.list_folders(work):
            if _ARRAYS.fullmatch(name):
                storage.remove_folder(storage.join(work, name))


def _keep_only(folder: str, ours: re.Pattern[str], kept: Collection[str]) -> None:
    """Removes the files of a folder that a backfill wrote, but for some."""
    _remove(folder, lambda name: ours.fullmatch(name) and name not in kept)


def _remove(folder: str, which: Callable[[str], object]) -> None:
    """Removes the files of a folder whose names are accepted."""
    if storage.is_empty(folder):
        return
    for path in storage.list_files(folder):
        if which(storage.base_name(path)):
            storage.remove_file(path)
