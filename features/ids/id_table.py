"""From item ids to rows of an embedding table.

Rows `[0, oov_buckets)` are shared by ids outside the vocabulary, by hash; the row of a vocabulary
id is `oov_buckets` plus its position. With the vocabulary [3, 5] and two OOV rows, 3 has row 2, 5
has row 3, and any other id has row 0 or 1. A hashed table has no vocabulary: every id is hashed
into `[oov_buckets, rows)`, and only id dropout uses the OOV rows.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from features.arrays import Integers
from features.errors import UserInputError
from features.files import checked, storage
from features.ids import hashing

_CHARACTERS = b"-0123456789 \r\n"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_REMEDY = "Write it again, with the job that makes it."


def read_vocabulary(
    path: str, expected: Mapping[str, Any] = _NOTHING, remedy: str = _REMEDY
) -> Integers:
    """Reads a vocabulary file: one int64 id per line, strictly ascending.

    Args:
      path: a text file, local or remote, see `storage`.
      expected: what a manifest says of the file: `sha256` and `ids`, their number, or neither.
      remedy: a sentence that says how the file is made again.

    Returns:
      `[N]` int64, ascending.

    Raises:
      UserInputError: the file is missing, is another one, is no list of integers, or is not
        ascending.
    """
    if not storage.is_file(path):
        raise UserInputError(f"Vocabulary file {path!r} does not exist. {remedy}")
    data = checked.read_bytes(path, expected, remedy)
    if other := data.translate(None, _CHARACTERS):
        raise UserInputError(
            f"Vocabulary file {path!r} must hold one int64 id per line, but has {other[:20]!r}. "
            f"{remedy}"
        )
    try:
        ids = np.array(data.decode().split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise UserInputError(
            f"Vocabulary file {path!r} must hold one int64 id per line: {error}. {remedy}"
        ) from error
    if not is_ascending(ids):
        raise UserInputError(
            f"Vocabulary file {path!r} must be strictly ascending, without duplicates: "
            "sort it numerically (`sort -nu`)."
        )
    if len(ids) != expected.get("ids", len(ids)):
        raise UserInputError(
            f"Vocabulary file {path!r} has {len(ids)} ids, but the manifest says "
            f"{expected['ids']}. {remedy}"
        )
    return ids


def is_ascending(ids: Integers) -> bool:
    """Whether ids `[N]` ascend strictly; compared, as differences may overflow int64."""
    return bool(np.all(ids[1:] > ids[:-1]))


def write_vocabulary(path: str, ids: Integers | Sequence[int]) -> None:
    """Writes the distinct ids in ascending order, one per line."""
    lines = "".join(f"{value}\n" for value in np.unique(np.asarray(ids, np.int64)))
    storage.write_bytes(path, lines.encode())


def vocabulary_rows(ids: Integers, vocabulary: Integers, oov_buckets: int) -> Integers:
    """Returns each id's row, any shape, int64 to int64.

    Args:
      ids: int64 ids.
      vocabulary: `[N]` int64, ascending.
      oov_buckets: rows for unknown ids, at least 1.
    """
    ids = np.asarray(ids, np.int64)
    position = positions(ids, vocabulary)
    known = position < vocabulary.size
    return np.where(known, oov_buckets + position, hashing.bucket(ids, oov_buckets))


def positions(ids: Integers, vocabulary: Integers) -> Integers:
    """Returns each id's position in an ascending vocabulary, or its size for an unknown id.

    Args:
      ids: int64, any shape.
      vocabulary: `[N]` int64, ascending.
    """
    ids = np.asarray(ids, np.int64)
    if not vocabulary.size:
        return np.zeros(ids.shape, np.int64)
    # Clipped, because an id above all others would be searched one past the end.
    position = np.minimum(np.searchsorted(vocabulary, ids), vocabulary.size - 1)
    return np.where(vocabulary[position] == ids, position, vocabulary.size)


def hashed_rows(ids: Integers, buckets: int, oov_buckets: int) -> Integers:
    """Returns each id's row in a hashed table of `oov_buckets + buckets` rows."""
    return oov_buckets + hashing.bucket(ids, buckets)
