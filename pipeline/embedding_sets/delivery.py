"""Vectors delivered by an encoder: validated, quantized, each item once."""

import collections
import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.embeddings import similarity
from features.embeddings.embedding_files import ALWAYS, EmbeddingFiles
from features.embeddings.vector_rows import VectorRows
from features.tables import kinds

EMPTY_ID = "item_id is empty"
ZERO = "embedding is zero"
OLDER_ROW = "another row of this item_id is newer or came before"


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Quantized vectors of distinct items, N of them, by ascending id.

    Attributes:
      keys: `[N]` ids of the file, int64, string or binary.
      item_ids: `[N]` int64, ascending.
      quantized: `[N, M]` int8.
      available_at: `[N]` int64 microseconds.
    """

    keys: pa.Array
    item_ids: np.ndarray
    quantized: np.ndarray
    available_at: np.ndarray

    def take(self, rows: np.ndarray) -> "Vectors":
        """Returns some rows, in this order."""
        return Vectors(
            self.keys.take(pa.array(rows)),
            self.item_ids[rows],
            self.quantized[rows],
            self.available_at[rows],
        )

    @classmethod
    def concatenated(cls, parts: "list[Vectors]") -> "Vectors":
        """Returns the rows of several, one after another."""
        return cls(
            pa.concat_arrays([part.keys for part in parts]),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("item_ids", "quantized", "available_at")
            ),
        )


@dataclasses.dataclass(frozen=True)
class Delivery:
    """The usable `vectors`, one per item, how many rows were read, and the rejected ones.

    Of a rejected row there are file, row and reason, in order.
    """

    vectors: Vectors
    rows: int
    rejected: tuple[dict[str, Any], ...]

    @property
    def reasons(self) -> dict[str, int]:
        """The number of rejected rows by reason."""
        return dict(collections.Counter(row["reason"] for row in self.rejected))


def read_delivery(files: EmbeddingFiles, dimension: int, available_at: int = ALWAYS) -> Delivery:
    """Reads a delivery, or a version that was written before, batch by batch.

    Of several rows of an item the one with the latest `available_at` is used, of equals the first.

    Args:
      files: opened.
      dimension: the width M that vectors must have.
      available_at: microseconds, of rows without one.

    Raises:
      UserInputError: a file is not readable or changed while it was read, or M is too large for
        exact similarities.
    """
    reader = dataclasses.replace(files.reader, dimension=dimension)
    parts, rejected, origins = [], [], []
    with files.table.unchanged():
        for unit in files.units:
            for batch in reader.read(unit):
                part, rows, bad = _quantized(batch, available_at)
                parts.append(part)
                origins.append(np.stack([np.full(len(rows), unit.file), rows]))
                rejected += [{"file": unit.file, **row} for row in bad]
    if not parts:
        empty = np.zeros(0, np.int64)
        (kind,) = files.item_type.values()
        keys = pa.array([], kind)
        return Delivery(Vectors(keys, empty, np.zeros((0, dimension), np.int8), empty), 0, ())
    vectors, origin = Vectors.concatenated(parts), np.concatenate(origins, axis=1)
    position = np.arange(len(vectors.item_ids))
    # `~` reverses the order within int64: rows (item 7 at 5, item 7 at 9) become (9, 5).
    order = np.lexsort((position, ~vectors.available_at, vectors.item_ids))
    sorted_ids = vectors.item_ids[order]
    again = np.zeros(len(order), bool)
    again[1:] = sorted_ids[1:] == sorted_ids[:-1]
    for row in order[again]:
        file, place = origin[:, row].tolist()
        rejected.append({"file": file, "row": place, "reason": OLDER_ROW})
    rejected.sort(key=lambda one: (one["file"], one["row"]))
    named = tuple({**row, "file": files.names[files.paths[row["file"]]]} for row in rejected)
    return Delivery(vectors.take(order[~again]), files.rows, named)


def _quantized(
    rows: VectorRows, available_at: int
) -> tuple[Vectors, np.ndarray, list[dict[str, Any]]]:
    """Returns a batch's usable rows, their positions in the file, and the others."""
    keys = rows.keys
    quantized, norms = similarity.quantize(rows.vectors)
    reasons = np.where(norms == 0, ZERO, "").astype(object)
    if kinds.is_text(keys.type):
        reasons[pc.equal(pc.binary_length(keys), 0).to_numpy(zero_copy_only=False)] = EMPTY_ID
    good = np.flatnonzero(reasons == "")
    times = np.where(rows.available_at == ALWAYS, available_at, rows.available_at)
    pairs = zip(rows.rows.tolist(), reasons, strict=True)
    bad = [{"row": row, "reason": reason} for row, reason in pairs if reason]
    vectors = Vectors(keys, rows.item_ids, quantized, times).take(good)
    return vectors, rows.rows[good], [*rows.rejected, *bad]
