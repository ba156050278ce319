"""Writer side of a projection cache."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from features.files import storage, versions
from features.version import VERSION
from pipeline.catalog_backfill import cache_part
from serving_signatures.client import projection_cache
from serving_signatures.client.projection_cache import ITEM_ID, DamagedPartError

_PARTS = "parts"
_WORK = "building"


class CacheFolder:
    """One of the two caches of an output.

    While a job runs, `building/` holds the arrays that its workers map, and one note per finished
    part, named by a hash of all that the part depends on. A rerun after a killed job reuses the
    parts whose notes it finds.

    Args:
      output: the backfill's output, local or remote.
      cache: its name.

    Attributes:
      path: its folder.
    """

    def __init__(self, output: str, cache: str):
        self.cache, self.path = cache, storage.join(output, cache)

    def published(self) -> dict[str, Any] | None:
        """Returns the manifest of the published version, None where there is none.

        Raises:
          UserInputError: the version that the pointer names is not there.
        """
        version = versions.current(self.path)
        return None if version is None else projection_cache.read_version(self.path, version)

    def read_ids(self, part: Mapping[str, Any], tag: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns a part's item ids and sources, `[N]` int64 each; sources 0 where it has none.

        Raises:
          DamagedPartError: it cannot be read, has other rows, or is of another tag.
        """
        wanted = [ITEM_ID, *([cache_part.SOURCE] if cache_part.has_source(self.cache) else [])]
        table = self.read_part(part, wanted)
        path = projection_cache.part_path(self.path, part)
        projection_cache.check_tag(path, table.schema, tag)
        columns = [one.to_numpy() for one in table.columns]
        if len(table) != part["rows"]:
            raise DamagedPartError(
                f"{path!r} has {len(table)} rows, expected {part['rows']}. "
                f"{projection_cache.ADVICE}"
            )
        return columns[0], columns[1] if len(columns) > 1 else np.zeros(len(table), np.int64)

    def read_part(
        self,
        part: Mapping[str, Any],
        columns: Sequence[str] | None = None,
        group: int | None = None,
    ) -> pa.Table:
        """Reads a part, or some of it.

        Args:
          part: its entry in the version's manifest.
          columns: None for all.
          group: of rows; None for all.

        Raises:
          DamagedPartError: it cannot be read.
        """
        path = projection_cache.part_path(self.path, part)
        try:
            with storage.open_parquet(path) as file:
                if group is None:
                    return file.read(columns)
                return file.read_row_group(group, columns)
        except (pa.ArrowException, OSError) as error:
            raise DamagedPartError(
                f"{path!r} cannot be read: {error}. {projection_cache.ADVICE}"
            ) from error

    def note_path(self, key: str) -> str:
        """Returns where the note of a finished part goes."""
        return storage.join(self.path, _WORK, f"{key}.json")

    def note(self, key: str) -> dict[str, Any] | None:
        """Returns the note of a part, None unless the part is there."""
        path = self.note_path(key)
        if not storage.is_file(path):
            return None
        entry = json.loads(storage.read_bytes(path))
        if "file" in entry and not storage.is_file(projection_cache.part_path(self.path, entry)):
            return None
        return entry

    def new_work(self) -> str:
        """Returns a folder for arrays that workers map, and removes those of earlier jobs."""
        work = storage.join(self.path, _WORK)
        for name in storage.list_folders(work):
            storage.remove_folder(storage.join(work, name))
        return storage.join(self.path, _WORK, f"work-{uuid.uuid4().hex}")

    def publish(self, values: Mapping[str, Any]) -> int:
        """Writes a version's manifest, makes it the published one and returns its number.

        A higher number that is there was never published, or was rolled back.
        """
        number = (versions.current(self.path) or 0) + 1
        text = json.dumps(
            {**values, "version": number, "code_version": VERSION},
            indent=2,
            sort_keys=True,
        )
        storage.write_bytes(versions.path_of(self.path, number, ".json"), f"{text}\n".encode())
        versions.publish(self.path, number)
        return number

    def prune(self, keep: int) -> None:
        """Removes all but the newest published versions, and parts that none of them names."""
        published = versions.current(self.path)
        if published is None:
            return
        folder = storage.join(self.path, versions.FOLDER)
        kept = versions.kept(self._numbers(), published, keep)
        named: set[str] = set()
        for number in kept:
            values = projection_cache.read_version(self.path, number)
            named.update(part["file"] for part in values["parts"])
        files = {storage.base_name(versions.path_of(folder, number, ".json")) for number in kept}
        # Manifests go first, so that no manifest names a part that is gone.
        _keep_only(folder, files)
        _keep_only(storage.join(self.path, _PARTS), named)
        self.forget()

    def forget(self) -> None:
        """Removes the notes of finished parts and the arrays that workers mapped."""
        storage.remove_folder(storage.join(self.path, _WORK))

    def _numbers(self) -> list[int]:
        folder = storage.join(self.path, versions.FOLDER)
        stems = (storage.base_name(path)[:-5] for path in storage.list_files(folder, ".json"))
        return [int(stem) for stem in stems if stem.isdigit()]


def _keep_only(folder: str, kept: set[str]) -> None:
    if storage.is_empty(folder):
        return
    for path in storage.list_files(folder):
        if storage.base_name(path) not in kept:
            storage.remove_file(path)
