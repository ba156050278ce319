"""The rows of an embedding set, read and validated batch by batch, in any process."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array, Booleans, Integers
from features.embeddings import availability, vector_types
from features.embeddings.availability import ALWAYS, AVAILABLE_AT
from features.errors import UserInputError
from features.ids import hashing
from features.tables import times
from features.tables.places import BATCH_ROWS
from features.tables.reader import Reader, Unit, unreadable

ITEM_ID = "item_id"
EMBEDDING = "embedding"

_BATCH_BYTES = 16 << 20
"""Of the floats that are in memory at once."""


@dataclasses.dataclass(frozen=True)
class VectorRows:
    """The usable rows of a batch, N of them.

    Attributes:
      keys: `[N]` ids as in the file, int64, string or binary.
      item_ids: `[N]` int64; ids may repeat.
      vectors: `[N, M]` float32, finite, or int8 if the file has int8.
      available_at: `[N]` int64, microseconds.
      rows: `[N]` int64, their positions in the file.
      rejected: row and reason of each unusable row.
    """

    keys: pa.Array
    item_ids: Integers
    vectors: Array
    available_at: Integers
    rows: Integers
    rejected: tuple[dict[str, object], ...]


@dataclasses.dataclass(frozen=True)
class VectorReader:
    """Reads units of a set; small and picklable.

    Attributes:
      flag: that named the set, for messages.
      reader: of its table.
      dimension: the embedding width M; rows of another width are rejected.
      time_unit: of integers in `available_at`: `s`, `ms`, `us` or `ns`.
    """

    flag: str
    reader: Reader
    dimension: int
    time_unit: str = "us"

    def read(self, unit: Unit) -> Iterator[VectorRows]:
        """Reads a unit.

        Raises:
          UserInputError: it is not readable, or a time is out of range.
        """
        names = [name for name in (ITEM_ID, EMBEDDING, AVAILABLE_AT) if name in self.reader.kinds]
        try:
            for batch, rows in self.reader.read(unit, names, batch_rows(self.dimension)):
                yield self._validated(unit, batch, rows)
        except (pa.ArrowException, OSError) as error:
            raise unreadable_vectors(self.flag, unit, error) from error

    def _validated(self, unit: Unit, batch: pa.RecordBatch, rows: Integers) -> VectorRows:
        ids, embedding = batch[ITEM_ID], vector_types.as_lists(batch[EMBEDDING])
        # One reason per row, empty for usable rows; -1 is the length of a null.
        lengths = pc.fill_null(pc.list_value_length(embedding), -1).to_numpy(zero_copy_only=False)
        reasons = np.full(batch.num_rows, "", object)
        at, is_bad = self._times(unit, batch)
        if is_bad.any():
            reasons[is_bad] = times.reason(AVAILABLE_AT, pa.string())
        reasons[ids.is_null().to_numpy(zero_copy_only=False)] = "item_id is null"
        reasons[lengths < 0] = "embedding is null"
        wrong = (lengths >= 0) & (lengths != self.dimension)
        reasons[wrong] = f"embedding does not have {self.dimension} values"
        complete = lengths == self.dimension
        # Rows of the right length alone are one block of numbers, [complete rows, M].
        values = pc.list_flatten(embedding.filter(pa.array(complete)))
        vectors = values.to_numpy(zero_copy_only=False).reshape(-1, self.dimension)
        if vectors.dtype != np.int8:
            # A float64 that is too large becomes infinity, and is rejected below.
            with np.errstate(over="ignore"):
                vectors = vectors.astype(np.float32, copy=False)
            finite = np.isfinite(vectors).all(axis=1)
            reasons[np.flatnonzero(complete)[~finite]] = "embedding holds NaN or infinity"
        good = reasons == ""
        keys = ids.filter(pa.array(good))
        rejected = tuple(
            {"row": int(rows[place]), "reason": reasons[place]} for place in np.flatnonzero(~good)
        )
        return VectorRows(
            keys=keys,
            item_ids=hashing.ids_of_column(keys),
            vectors=vectors[good[complete]],
            available_at=at[good],
            rows=rows[good],
            rejected=rejected,
        )

    def _times(self, unit: Unit, batch: pa.RecordBatch) -> tuple[Integers, Booleans]:
        if AVAILABLE_AT not in batch.schema.names:
            return np.full(batch.num_rows, ALWAYS), np.zeros(batch.num_rows, bool)
        try:
            return availability.known_times(batch[AVAILABLE_AT], self.time_unit)
        except pa.ArrowInvalid as error:
            raise UserInputError(
                f"--{self.flag}: {unit.path!r}: column {AVAILABLE_AT!r} "
                f"({batch[AVAILABLE_AT].type}) holds a time that int64 cannot hold in "
                f"microseconds: {error}. Write it in microseconds since 1970."
            ) from error


def batch_rows(dimension: int) -> int:
    """Returns how many vectors of a width are read at once."""
    return min(max(_BATCH_BYTES // (4 * max(dimension, 1)), 1), BATCH_ROWS)


def unreadable_vectors(flag: str, unit: Unit, error: Exception) -> UserInputError:
    """Returns the error of a unit that could not be read."""
    hint = ""
    if "Expected all lists to be of size" in str(error):
        hint = " A fixed-size list must hold no null: leave such rows out, or write a plain list."
    return UserInputError(f"{unreadable(flag, unit, error)}{hint}")
