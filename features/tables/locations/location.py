"""What a location means: a folder, one file or a glob."""

import dataclasses
import fnmatch
import functools
import os
import re

from features.errors import UserInputError
from features.files import manifest, storage, versions
from features.files.file_system import local_path
from features.files.published_folder import published_folder
from features.files.tree import files_below
from features.files.versions import FOLDER as VERSIONS
from features.files.versions import POINTER

NOT_PUBLISHED = "not of the published version"

_MAGIC = re.compile(r"[*?[]")


@dataclasses.dataclass(frozen=True)
class Location:
    """What lies at a location, before anything is passed over.

    Attributes:
      folder: that the names are relative to: itself, that of the file, or the folders of the glob
        that are no pattern.
      sizes: bytes by name of all files below the folder; of the file alone, if it is one.
      pattern: of the names that are meant; None for all.
      is_file: whether the location is one file.
    """

    folder: str
    sizes: dict[str, int | None]
    pattern: str | None = None
    is_file: bool = False

    def means(self, name: str) -> bool:
        """Whether the location means a file of this name."""
        if self.is_file:
            return name in self.sizes
        return self.pattern is None or matches(name, self.pattern)

    def path(self, name: str) -> str:
        """Returns the path of a name."""
        if self.folder == "." and (self.is_file or self.pattern):
            return name
        return storage.join(self.folder, name)


def find(location: str) -> Location:
    """Lists a location.

    A folder or file of just this name comes before a glob.

    Raises:
      UserInputError: nothing is there, or of a folder of versions not what belongs to one.
    """
    if storage.is_file(location):
        folder, _, name = location.rpartition("/")
        folder = folder or ("/" if location.startswith("/") else ".")
        return Location(folder, {name: storage.size(location)}, is_file=True)
    if storage.exists(location):
        if not storage.is_remote(location) and not os.path.isdir(local_path(location)):
            raise UserInputError(
                f"{location!r} is neither a file nor a folder. Write the rows to a file first."
            )
        folder = published_folder(location)
        found = Location(folder, files_below(folder))
        if folder != location and manifest.FILE_NAME not in found.sizes:
            raise UserInputError(
                f"{folder!r}, the published version of {location!r}, has lost its "
                f"{manifest.FILE_NAME}. Write the number of another version into "
                f"{storage.join(location, POINTER)!r}, or make the version again."
            )
        return found
    if not _MAGIC.search(location):
        raise _absent(location)
    folder, pattern = _split(location)
    if not storage.exists(folder):
        raise _absent(folder)
    found = Location(folder, files_below(folder), pattern)
    if not any(map(found.means, found.sizes)):
        example = next(iter(sorted(found.sizes)), None)
        raise UserInputError(
            f"{location!r} matches none of the {len(found.sizes)} files in {folder!r}"
            f"{f', such as {example!r}' if example else ''}. `*` and `?` do not match `/`; `**` "
            "is any number of folders. Quote the glob, so that the shell leaves it as it is."
        )
    return found


def matches(name: str, pattern: str) -> bool:
    """Whether a glob means a file, or a folder that it lies in.

    >>> [matches("a/b=1/c.csv", one) for one in ("a/b=*", "**/*.csv", "a/*.csv", "[a-c]/**")]
    [True, True, False, True]
    """
    return _matches(tuple(name.split("/")), tuple(pattern.split("/")))


def _matches(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns or not parts:
        return not patterns
    first, *rest = patterns
    if first == "**":
        return _matches(parts, tuple(rest)) or _matches(parts[1:], patterns)
    return _regex(first).match(parts[0]) is not None and _matches(parts[1:], tuple(rest))


@functools.lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))


def _absent(folder: str) -> UserInputError:
    if storage.is_remote(folder):
        # Says whether it is the bucket, and what to look at.
        files_below(folder)
    return UserInputError(f"{folder!r} does not exist. Give a folder, a file or a glob.")


def _split(location: str) -> tuple[str, str]:
    """Returns the folders of a glob that are no pattern, and the rest."""
    parts = location.rstrip("/").split("/")
    first = next(number for number, part in enumerate(parts) if _MAGIC.search(part))
    folder = "/".join(parts[:first])
    return folder or ("/" if first else "."), "/".join(parts[first:])


def unpublished(location: Location) -> set[str]:
    """Returns the names below folders of versions that are not of the published version."""
    found: set[str] = set()
    pointers = [name for name in location.sizes if name.rpartition("/")[2] == POINTER]
    for pointer in pointers:
        above = pointer.rpartition("/")[0]
        prefix = f"{above}/{VERSIONS}/".lstrip("/")
        version = versions.current(storage.join(location.folder, above).rstrip("/"))
        kept = f"{prefix}{version:06d}/"
        found |= {
            name for name in location.sizes if name.startswith(prefix) and not name.startswith(kept)
        }
    return found
