"""The files that a location means: one rule for every job.

A location is a folder, one file or a glob, local or remote (`locations`). Folders are read at any
depth. What lies there and is no data is passed over with a reason (`selection`, `file_names`);
`KEY=VALUE` folders give keys (`hive_keys`); tables with a log are read by it or refused (`lakes`).
"""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence

import pyarrow as pa

from features.errors import UserInputError
from features.files import storage
from features.files.file_system import local_path
from features.tables.locations.file_names import SUFFIXES
from features.tables.locations.hive_keys import Keys
from features.tables.locations.lakes import Logs
from features.tables.locations.location import find
from features.tables.locations.selection import EMPTY, select

TWICE = "listed before"
_EXAMPLES = 2


@dataclasses.dataclass(frozen=True)
class FoundFile:
    """A file of a table.

    Attributes:
      path: local path or URI.
      name: below the location that it was found under, with `/` between folders; for a location
        that is a file, its base name.
      keys: of `KEY=VALUE` folders, outermost first, with percent escapes decoded; None for Hive's
        null. Folders that the location itself ends in count too.
    """

    path: str
    name: str
    keys: Keys = ()


@dataclasses.dataclass(frozen=True)
class Listing:
    """The files of a table.

    Attributes:
      files: by location, then by name.
      passed_over: path and reason of what lies there and is no data.
      pruned: how many files a filter ruled out by their keys, see `pruning`.
    """

    files: tuple[FoundFile, ...]
    passed_over: tuple[tuple[str, str], ...] = ()
    pruned: int = 0


def list_files(locations: Sequence[str], flag: str) -> Listing:
    """Returns the files that locations mean.

    Args:
      locations: folders, files or globs, local or remote.
      flag: that named them, for messages.

    Raises:
      UserInputError: a location holds no data, or its files count only as a log says that cannot
        be read here.
    """
    files: dict[str, FoundFile] = {}
    passed_over: dict[str, str] = {}
    logs = Logs()
    try:
        for given in locations:
            location = find(given)
            chosen = select(location, logs)
            reasons = {location.path(name): why for name, why in chosen.passed_over.items()}
            passed_over |= reasons
            if not chosen.keys and EMPTY not in reasons.values():
                raise _no_data(given, reasons)
            root = _identity(location.folder)
            for name, keys in chosen.keys.items():
                file = FoundFile(location.path(name), name, keys)
                if files.setdefault(f"{root}/{name}", file) is not file:
                    passed_over[file.path] = TWICE
    except (UserInputError, OSError, pa.ArrowException) as error:
        raise UserInputError(f"--{flag}: {error}") from error
    if not files:
        raise UserInputError(f"--{flag}: {_no_data(', '.join(locations), passed_over)}")
    return Listing(tuple(files.values()), tuple(passed_over.items()))


def describe(listing: Listing, flag: str) -> str:
    """Returns a line that says what was found and what was passed over.

    >>> files = FoundFile("log/d=1/a", "d=1/a", (("d", "1"),)), FoundFile("log/b", "b")
    >>> describe(Listing(files, (("log/_SUCCESS", "hidden"),)), "events")
    '--events: 2 files in 2 folders (d=1); passed over: 1 (hidden: _SUCCESS)'
    """
    folders = len({file.path.rpartition("/")[0] for file in listing.files})
    text = f"--{flag}: {len(listing.files)} file{'s' * (len(listing.files) != 1)}"
    text += f" in {folders} folders" if folders > 1 else ""
    keys = key_range(listing.files)
    text += f" ({keys})" if keys else ""
    text += f"; {listing.pruned} ruled out by --filter" if listing.pruned else ""
    if listing.passed_over:
        why = _reasons(listing.passed_over)
        text += f"; passed over: {len(listing.passed_over)} ({why})"
    return text


def key_range(files: Iterable[FoundFile]) -> str:
    """Returns the first and the last `KEY=VALUE` folders of files; empty if there are none."""
    found = {"/".join(map(_key_text, file.keys)) for file in files} - {""}
    return " .. ".join(dict.fromkeys([min(found), max(found)])) if found else ""


def _key_text(key: tuple[str, str | None]) -> str:
    return f"{key[0]}={'null' if key[1] is None else key[1]}"


def _reasons(passed_over: Iterable[tuple[str, str]]) -> str:
    names: dict[str, list[str]] = defaultdict(list)
    for path, reason in passed_over:
        names[reason].append(storage.base_name(path))
    texts = []
    for reason, found in names.items():
        rest = f" and {len(found) - _EXAMPLES} more" if len(found) > _EXAMPLES else ""
        texts.append(f"{reason}: {', '.join(found[:_EXAMPLES])}{rest}")
    return "; ".join(texts)


def _no_data(location: str, passed_over: dict[str, str]) -> UserInputError:
    what = f"of what is there ({_reasons(passed_over.items())})" if passed_over else "there"
    return UserInputError(
        f"{location!r} holds no data: {'nothing ' + what if passed_over else 'it is empty'}. "
        f"Expected files that end in {', '.join(f'.{suffix}' for suffix in SUFFIXES)}, perhaps "
        "compressed, or have no suffix. A file that is named itself may end in anything."
    )


def _identity(folder: str) -> str:
    """Returns the same text for two ways to a folder."""
    if storage.is_remote(folder):
        return folder.rstrip("/")
    return os.path.realpath(local_path(folder))
