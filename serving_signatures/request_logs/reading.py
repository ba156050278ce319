"""The files of a request log, and every whole record in them."""

import collections
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from features.errors import UserInputError
from features.files import storage
from features.records import tfrecord
from features.tables.locations import location
from serving_signatures.request_logs.log_files import SUFFIX


class NoRequestsError(UserInputError):
    """A location holds no request log, or none with a request that is of use."""


class Place(NamedTuple):
    """Where a record is."""

    path: str
    offset: int
    number: int

    def __str__(self) -> str:
        return f"{storage.base_name(self.path)}, record {self.number}"


def files(locations: Sequence[str]) -> list[str]:
    """Returns the files of a log, the oldest first where a `RequestLog` named them.

    Args:
      locations: files, globs, or folders, of which `*.tfrecord` are taken.

    Raises:
      NoRequestsError: a location has none.
    """
    found = []
    for one in locations:
        try:
            listed = location.find(one)
        except UserInputError as error:
            raise NoRequestsError(str(error)) from error
        is_given = listed.is_file or listed.pattern is not None
        names = [name for name in listed.sizes if listed.means(name)]
        names = [name for name in names if is_given or name.endswith(SUFFIX)]
        if not names:
            raise NoRequestsError(
                f"{one!r} holds no *{SUFFIX}. Give the folder of a request log, or its files."
            )
        found += [listed.path(name) for name in sorted(names)]
    return list(dict.fromkeys(found))


def records(
    paths: Sequence[str], left_out: collections.Counter[str]
) -> Iterator[tuple[Place, bytes]]:
    """Yields every whole record of files that may still be written.

    Args:
      paths: of the files.
      left_out: counts what is no whole record, by reason.

    Raises:
      UserInputError: a file cannot be read, or there is no record and a file is no TFRecord file.
    """
    is_empty, damaged = True, ""
    for path in paths:
        try:
            size = storage.size(path)
            with storage.open_input(path) as file:
                for number, frame in enumerate(tfrecord.whole_records(file, size)):
                    if frame.problem is None:
                        is_empty = False
                        yield Place(path, frame.offset, number), frame.record
                        continue
                    left_out[frame.problem.value] += 1
                    if not number and frame.problem is tfrecord.Problem.DAMAGED:
                        damaged = path
        except FileNotFoundError:
            left_out["file removed meanwhile"] += 1
        except OSError as error:
            raise UserInputError(f"{path!r} cannot be read as TFRecords: {error}.") from error
    if is_empty and damaged:
        raise UserInputError(
            f"{damaged!r} cannot be read as TFRecords: its first record is damaged. Give "
            "uncompressed files of PredictionLog, as a RequestLog writes them."
        )


def record_at(place: Place) -> bytes | None:
    """Returns a record once more, None where it is no longer there."""
    try:
        size = storage.size(place.path)
        with storage.open_input(place.path) as file:
            for frame in tfrecord.whole_records(file, size, place.offset):
                return None if frame.problem else frame.record
    except OSError:  # The oldest file is removed when another is begun.
        pass
    return None
