"""Which of the files at a location are data, with the keys of their folders."""

import dataclasses
from collections.abc import Iterable, Mapping

from features.errors import UserInputError
from features.files import storage
from features.tables.locations import file_names
from features.tables.locations.file_names import Kind
from features.tables.locations.hive_keys import Keys, check_levels, keys_at_the_end, keys_of
from features.tables.locations.lakes import Logs
from features.tables.locations.location import Location, unpublished

EMPTY = "empty file"
NOT_IN_LOG = "not in the Delta table's current version"
NOT_PUBLISHED = "not of the published version"


@dataclasses.dataclass(frozen=True)
class Selection:
    """The files of a location, by name.

    Attributes:
      keys: of each file that is data, sorted.
      passed_over: why the others are not, sorted.
    """

    keys: dict[str, Keys]
    passed_over: dict[str, str]


def select(location: Location, logs: Logs) -> Selection:
    """Decides which of the files that a location means are data.

    Raises:
      UserInputError: keys of folders differ, a file cannot be read, or neither can a log.
    """
    tables = logs.files(location)
    names = {name for name in location.sizes if location.means(name)}
    names |= _missing(location, tables)
    old = unpublished(location)
    keys: dict[str, Keys] = {}
    passed_over: dict[str, str] = {}
    by_folder: dict[str, Keys] = {}
    end = keys_at_the_end(location.folder)
    for name in sorted(names):
        log = _covering(name, tables)
        if log is not None and name in log:
            keys[name] = log[name]
            continue
        reason = NOT_PUBLISHED if name in old else _reason(location, name)
        if reason is None and log is not None:
            reason = NOT_IN_LOG
        if reason is None:
            by_folder[name] = keys_of(f"{end}/{name.rpartition('/')[0]}")
        else:
            passed_over[name] = reason
    check_levels((location.path(name), found) for name, found in by_folder.items())
    keys |= by_folder
    kinds = {name: file_names.kind_of(name.rpartition("/")[2]) for name in keys}
    if len(set(kinds.values())) > 1:
        for name in [name for name in by_folder if kinds[name] == Kind.JSON]:
            del keys[name]
            passed_over[name] = file_names.JSON_BESIDE
    _check_formats(location, [name for name in by_folder if kinds[name] == Kind.TABLE])
    return Selection(dict(sorted(keys.items())), dict(sorted(passed_over.items())))


def _reason(location: Location, name: str) -> str | None:
    """Returns why a file is no data, by its name and size."""
    size = location.sizes[name]
    if not location.is_file:
        reason = file_names.no_data(name, location.sizes.keys())
        if reason is None and file_names.kind_of(name.rpartition("/")[2]) == Kind.UNKNOWN:
            reason = file_names.UNKNOWN
        if reason is not None:
            return reason
    if size is None:
        raise UserInputError(
            f"{location.path(name)!r} is no file that can be read, perhaps a link to nothing. "
            "Remove it, or restore what it leads to."
        )
    return None if size else EMPTY


def _check_formats(location: Location, names: Iterable[str]) -> None:
    """Refuses files of two formats in one folder: one of them is mostly a copy or a summary."""
    first: dict[str, str] = {}
    for name in names:
        folder = name.rpartition("/")[0]
        other = first.setdefault(folder, name)
        suffix, other_suffix = (file_names.suffix_of(one) for one in (name, other))
        if suffix != other_suffix:
            glob = f"{folder}/*.{other.rpartition('.')[2]}".lstrip("/")
            raise UserInputError(
                f"{location.path(other)!r} and {location.path(name)!r} lie in one folder and have "
                "two formats. Perhaps one is a copy of the other. Name those that are meant, such "
                f"as {location.path(glob)!r}, or both in two locations."
            )


def _covering(name: str, tables: Mapping[str, dict[str, Keys]]) -> dict[str, Keys] | None:
    """Returns the files that count of the table with a log that a file lies in, if it does."""
    roots = [root for root in tables if not root or name.startswith(f"{root}/")]
    return tables[max(roots, key=len)] if roots else None


def _missing(location: Location, tables: Mapping[str, dict[str, Keys]]) -> set[str]:
    """Returns files of the logs that were not there yet when the location was listed."""
    found = {
        name
        for files in tables.values()
        for name in files
        if name not in location.sizes and location.means(name)
    }
    for name in sorted(found):
        if not storage.is_file(location.path(name)):
            raise UserInputError(
                f"{location.path(name)!r} is a file of the Delta table's current version, and is "
                "not there. Run again if the table is being written; otherwise repair it."
            )
    return found
