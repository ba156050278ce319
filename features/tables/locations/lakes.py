"""Tables whose files count only as a log beside them says: Delta, Iceberg, Hudi.

Files that an overwrite, a deletion or a compaction replaced stay where they are for days. Reading
all that lies there would count such rows twice or bring deleted ones back. A Delta table is read by
its own log, through the package `deltalake`; the others are refused.
"""

import enum
import functools
import os
from collections.abc import Iterable

from features.errors import UserInputError
from features.files import storage
from features.files.file_system import local_path
from features.tables.locations import delta
from features.tables.locations.hive_keys import Keys, is_key
from features.tables.locations.location import Location


class Lake(enum.Enum):
    """A table format with a log."""

    DELTA = "Delta"
    ICEBERG = "Iceberg"
    HUDI = "Hudi"

    @property
    def log(self) -> str:
        """Where its log is, for messages."""
        return {"Delta": delta.LOG, "Iceberg": "metadata/*.metadata.json"}.get(
            self.value, ".hoodie"
        )


_METADATA = "metadata"
_METADATA_SUFFIX = ".metadata.json"
_MARKS = {
    delta.LOG: Lake.DELTA,
    ".hoodie": Lake.HUDI,
    # In each of its folders.
    ".hoodie_partition_metadata": Lake.HUDI,
}


class Logs:
    """Which files count, by the logs of the tables that locations touch; each is read once."""

    def __init__(self) -> None:
        self._delta_files = functools.cache(delta.files)
        self._above = functools.cache(above)

    def files(self, location: Location) -> dict[str, dict[str, Keys]]:
        """Returns the files that count, for each table with a log.

        Returns:
          By folder of the table, which is below the location or `""`, since the location may be
          a part of the table: the keys by name, all below the location.

        Raises:
          UserInputError: a log cannot be read.
        """
        found = {}
        roots = {} if location.is_file else below(location.sizes)
        for root, lake in roots.items():
            prefix = f"{root}/" if root else ""
            if any(name.startswith(prefix) and location.means(name) for name in location.sizes):
                folder = storage.join(location.folder, root) if root else location.folder
                files = self._read(folder, lake)
                found[root] = {prefix + name: keys for name, keys in files.items()}
        part = None if "" in roots else self._above(location.folder, itself=location.is_file)
        if part is not None:
            folder, down, lake = part
            prefix = f"{down}/" if down else ""
            found[""] = {
                name.removeprefix(prefix): keys
                for name, keys in self._read(folder, lake).items()
                if name.startswith(prefix)
            }
        return found

    def _read(self, folder: str, lake: Lake) -> dict[str, Keys]:
        if lake != Lake.DELTA:
            raise UserInputError(
                f"{folder!r} is a table of {lake.value} ({lake.log}): its folders also hold rows "
                "that were deleted or replaced, and only its log, which is not read here, says "
                "which. Export a snapshot of it as Parquet, and give that folder."
            )
        return self._delta_files(folder)


def below(names: Iterable[str]) -> dict[str, Lake]:
    """Returns the tables with a log by folder, found by the names of the files below a location.

    >>> below(["a/_delta_log/0.json", "a/part-0.parquet", "metadata/v1.metadata.json"])
    {'a': <Lake.DELTA: 'Delta'>, '': <Lake.ICEBERG: 'Iceberg'>}
    """
    found: dict[str, Lake] = {}
    for name in names:
        parts = name.split("/")
        if parts[-2:-1] == [_METADATA] and name.endswith(_METADATA_SUFFIX):
            found.setdefault("/".join(parts[:-2]), Lake.ICEBERG)
        for mark, lake in _MARKS.items():
            if mark in parts:
                # A Delta table may be an Iceberg table too.
                found["/".join(parts[: parts.index(mark)])] = lake
    return found


def above(folder: str, itself: bool) -> tuple[str, str, Lake] | None:
    """Looks for the table with a log that a folder is a part of.

    Above a `KEY=VALUE` folder, or Iceberg's `data`, may be more of the table.

    Args:
      folder: where files were found.
      itself: whether to look in the folder too; not needed if all below it was listed.

    Returns:
      The table's folder, the way down from there, and what it is.
    """
    folder = folder if storage.is_remote(folder) else os.path.abspath(local_path(folder))
    down: list[str] = []
    while True:
        lake = _at(folder) if itself or down else None
        if lake is not None:
            return folder, "/".join(down), lake
        parent, _, name = folder.rstrip("/").rpartition("/")
        if not (is_key(name) or name == "data") or parent in ("", "/") or parent.endswith(":/"):
            return None
        folder, down = parent, [name, *down]


def _at(folder: str) -> Lake | None:
    for mark, lake in _MARKS.items():
        if storage.exists(storage.join(folder, mark)):
            return lake
    metadata = storage.join(folder, _METADATA)
    if not storage.exists(metadata) or storage.is_file(metadata):
        return None
    return Lake.ICEBERG if storage.list_files(metadata, _METADATA_SUFFIX) else None
