"""One modality's precomputed embeddings, quantized on entry; `embedding_files` has the format."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from features.arrays import Array, Floats, Integers, SmallIntegers
from features.embeddings import embedding_files, similarity
from features.embeddings.embedding_files import EmbeddingFiles
from features.errors import UserInputError
from features.files import checked, manifest, parquet, storage
from features.id_kinds import KEY, IdKinds, Kind, of_type
from features.ids import hashing, id_table

_ROWS_IN_CACHE = 4096
"""Rows whose fingerprints are computed together, column by column, within the CPU's cache."""


@dataclasses.dataclass(frozen=True)
class EmbeddingSet:
    """A quantized embedding set, sorted by item id.

    Row N, one past the last item, is a zero vector for all items without an embedding, so that a
    look-up needs no branch.

    Attributes:
      item_ids: `[N]` int64, strictly ascending.
      quantized: `[N + 1, M]` int8.
      norms: `[N + 1]` float32.
      available_at: `[N + 1]` int64, microseconds; an embedding is used for requests from then on.
      fingerprint: 16 hexadecimal digits over ids, vectors and times, see `row_fingerprints`.
      rejected: file, row and reason of each row that was left out.
      item_kind: what the item ids were in the files; None where the set is of none.
    """

    item_ids: Integers
    quantized: SmallIntegers
    norms: Floats
    available_at: Integers
    fingerprint: str
    rejected: tuple[dict[str, object], ...] = ()
    item_kind: Kind | None = None

    @property
    def dimension(self) -> int:
        """The embedding width M."""
        return self.quantized.shape[1]

    @property
    def has_availability_times(self) -> bool:
        """Whether some embedding is available from a certain time only."""
        return bool(np.any(self.available_at != embedding_files.ALWAYS))

    def rows(self, item_ids: Integers) -> Integers:
        """Returns each item's row, N without an embedding; int64 of any shape."""
        return id_table.positions(item_ids, self.item_ids)

    def vectors(self, item_ids: Integers) -> Floats:
        """Returns vectors, as a request may carry them, that quantize to the stored ones.

        Args:
          item_ids: int64, any shape.

        Returns:
          `[*shape of item_ids, M]` float32, zeros for an item without an embedding.
        """
        return self.quantized[self.rows(item_ids)].astype(np.float32)


def from_vectors(
    item_ids: Integers,
    vectors: Array,
    available_at: Integers | None = None,
    rejected: tuple[dict[str, object], ...] = (),
) -> EmbeddingSet:
    """Quantizes vectors into an embedding set.

    Args:
      item_ids: `[N]` int64, distinct, any order.
      vectors: `[N, M]` float16, float32 or int8, finite.
      available_at: `[N]` int64 microseconds, or None for always.
      rejected: rows that the caller left out.
    """
    quantized, norms = similarity.quantize(vectors)
    times = np.full(len(item_ids), embedding_files.ALWAYS) if available_at is None else available_at
    return from_quantized(item_ids, quantized, norms, times, rejected)


def from_quantized(
    item_ids: Integers,
    quantized: SmallIntegers,
    norms: Floats,
    available_at: Integers,
    rejected: tuple[dict[str, object], ...] = (),
) -> EmbeddingSet:
    """Puts quantized vectors into an embedding set.

    Args:
      item_ids: `[N]` int64, distinct, any order.
      quantized: `[N, M]` int8.
      norms: `[N]` float32.
      available_at: `[N]` int64 microseconds.
      rejected: rows that the caller left out.
    """
    item_ids = np.asarray(item_ids, np.int64)
    if not id_table.is_ascending(item_ids):
        order = np.argsort(item_ids, kind="stable")
        item_ids, quantized = item_ids[order], quantized[order]
        norms, available_at = norms[order], available_at[order]
        if np.any(np.diff(item_ids) == 0):
            raise ValueError("item_ids must be distinct.")
    quantized = np.concatenate([quantized, np.zeros((1, quantized.shape[1]), np.int8)])
    norms = np.append(norms, np.float32(0))
    times = np.append(available_at, embedding_files.ALWAYS).astype(np.int64)
    return _fingerprinted(item_ids, quantized, norms, times, rejected)


def _fingerprinted(
    item_ids: Integers,
    quantized: SmallIntegers,
    norms: Floats,
    available_at: Integers,
    rejected: tuple[dict[str, object], ...],
) -> EmbeddingSet:
    """Returns the set of these arrays: ids ascending, the others with their zero row."""
    rows = row_fingerprints(item_ids, quantized[:-1], available_at[:-1])
    fingerprint = sum_fingerprints(rows)
    return EmbeddingSet(item_ids, quantized, norms, available_at, fingerprint, rejected)


def row_fingerprints(item_ids: Integers, quantized: SmallIntegers, available_at: Integers) -> Array:
    """Returns a 64-bit hash of each row of an embedding set.

    A set's fingerprint is their sum modulo 2^64 (`sum_fingerprints`), so workers that hold parts of
    the set in any order can add up theirs.

    Args:
      item_ids: `[N]` int64.
      quantized: `[N, M]` int8.
      available_at: `[N]` int64 microseconds, the smallest int64 for always.

    Returns:
      `[N]` uint64.
    """
    mixed = np.zeros(len(quantized), np.uint64)
    for begin in range(0, len(quantized), _ROWS_IN_CACHE):
        some = slice(begin, begin + _ROWS_IN_CACHE)
        mixed[some] = _row_fingerprints(item_ids[some], quantized[some], available_at[some])
    return mixed


def _row_fingerprints(
    item_ids: Integers, quantized: SmallIntegers, available_at: Integers
) -> Array:
    count, width = quantized.shape
    words = -(-width // 8)
    padded = np.zeros((count, words * 8), np.int8)
    padded[:, :width] = quantized
    # The width is hashed too, because zero padding would make two widths alike.
    mixed = hashing.mix(np.full(count, width, np.uint64))
    columns = [item_ids, available_at, *padded.view("<i8").T]  # 8 int8 values per word
    for column in columns:
        mixed = hashing.mix(mixed + np.asarray(column, np.int64).view(np.uint64))
    return mixed


def sum_fingerprints(fingerprints: Array) -> str:
    """Returns the sum of rows' or parts' fingerprints modulo 2^64, 16 hexadecimal digits.

    Args:
      fingerprints: `[N]` uint64.
    """
    return f"{int(np.sum(fingerprints, dtype=np.uint64)):016x}"


def write_embedding_set(
    folder: str,
    item_ids: Integers,
    vectors: Array,
    encoder: str,
    version: str,
    item_kind: Kind | None = None,
) -> None:
    """Writes vectors as an embedding set with its manifest.

    Args:
      folder: created if absent.
      item_ids: `[N]` int64 or str.
      vectors: `[N, M]` float16 or float32.
      encoder: the name of the model that made the vectors.
      version: of that model or run.
      item_kind: where `item_ids` are hashes of strings, "string"; None for what they are here.
    """
    storage.make_folder(folder)
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    embedding = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    path = storage.join(folder, "part-00000.parquet")
    table = pa.table({"item_id": pa.array(item_ids), "embedding": embedding})
    with storage.OutputFile(path) as file:
        parquet.write_table(table, file.stream)
    manifest.write_manifest(
        folder,
        {
            "encoder": encoder,
            "version": version,
            "dimension": int(vectors.shape[1]),
            "count": len(item_ids),
            "sha256": {storage.base_name(path): checked.sha256(path)},
            KEY: IdKinds(item_kind or of_type(table["item_id"].type)).to_dict(),
        },
    )


def read_embedding_set(locations: str | Sequence[str], quiet: bool = False) -> EmbeddingSet:
    """Opens and reads an embedding set.

    Args:
      locations: folders, files or globs.
      quiet: whether what was found is not logged.

    Raises:
      UserInputError: as `embedding_files.open_files` and `read_files`.
    """
    return read_files(embedding_files.open_files(locations, quiet=quiet))


def read_files(files: EmbeddingFiles) -> EmbeddingSet:
    """Reads, checks and quantizes an embedding set, batch by batch.

    Rows with a null or duplicate id, or with a vector that is null, not finite or of another width,
    are left out and listed in `rejected` by file and row.

    Raises:
      UserInputError: no row is usable, or a file is not readable.
    """
    # Allocated once and filled, so that a set is not in memory twice. The rows that rejected ones
    # leave at the end stay zero, and the first of these is the zero row.
    ids = np.zeros(files.rows, np.int64)
    quantized = np.zeros((files.rows + 1, files.dimension), np.int8)
    norms = np.zeros(files.rows + 1, np.float32)
    times = np.full(files.rows + 1, embedding_files.ALWAYS)
    count = 0
    rejected: list[dict[str, object]] = []
    places: list[tuple[str, Array]] = []
    for unit, rows in files.read():
        mine = slice(count, count + len(rows.item_ids))
        ids[mine], times[mine] = rows.item_ids, rows.available_at
        quantized[mine], norms[mine] = similarity.quantize(rows.vectors)
        places.append((unit.path, rows.rows))
        rejected += [{"file": unit.path, **one} for one in rows.rejected]
        count = mine.stop
    if not count:
        table = files.table
        raise UserInputError(
            f"--{table.flag}: {table.location!r} has no usable row. First: {rejected[:3]}."
        )
    ids = ids[:count]
    if not id_table.is_ascending(ids):
        # Sorts by id and keeps the first row of each.
        ids, first = np.unique(ids, return_index=True)
        rejected += _duplicates(np.setdiff1d(np.arange(count), first), places)
        kept = np.append(first, count)
        quantized, norms, times = (one[kept] for one in (quantized, norms, times))
    size = len(ids) + 1
    order = {path: place for place, path in enumerate(files.paths)}
    rejected.sort(key=lambda one: (order[str(one["file"])], one["row"]))
    found = _fingerprinted(ids, quantized[:size], norms[:size], times[:size], tuple(rejected))
    return dataclasses.replace(found, item_kind=files.item_kind)


def _duplicates(positions: Integers, places: list[tuple[str, Array]]) -> list[dict[str, object]]:
    """Returns file, row and reason of duplicates.

    Args:
      positions: the duplicates' positions among the usable rows of all batches.
      places: file and usable rows of each batch.
    """
    starts = np.cumsum([0, *(len(rows) for _, rows in places)])
    found: list[dict[str, object]] = []
    for position in positions:
        batch = np.searchsorted(starts, position, side="right") - 1
        path, rows = places[batch]
        row = int(rows[position - starts[batch]])
        found.append({"file": path, "row": row, "reason": embedding_files.DUPLICATE})
    return found
