"""The files that a location means."""

import dataclasses
from collections.abc import Sequence

from features.errors import UserInputError


@dataclasses.dataclass(frozen=True)
class FoundFile:
    """A file of a table.

    Attributes:
      path: local path or URI.
      name: below the location that it was found under, with `/` between folders; for a location
        that is a file, its base name.
      keys: of `KEY=VALUE` folders, outermost first, with percent escapes decoded.
    """

    path: str
    name: str
    keys: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Listing:
    """The files of a table.

    Attributes:
      files: by location, then by name.
      passed_over: path and reason of what lies there and is no data.
    """

    files: tuple[FoundFile, ...]
    passed_over: tuple[tuple[str, str], ...] = ()


def list_files(locations: Sequence[str], flag: str) -> Listing:
    """Returns the files that locations mean.

    Args:
      locations: folders, files or globs, local or remote.
      flag: that named them, for messages.

    Raises:
      UserInputError: a location holds no data.
    """
    from features.files.parquet_folder import parquet_files

    found = []
    for one in locations:
        try:
            found += [FoundFile(path, path.rpartition("/")[2]) for path in parquet_files(one)]
        except UserInputError as error:
            raise UserInputError(f"--{flag}: {error}") from error
    return Listing(tuple(found))
