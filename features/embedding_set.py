"""One modality's precomputed embeddings, quantised when they enter.

On disk: a folder of Parquet files with `item_id` (int64 or string), `embedding` (a list of
float16, float32 or int8) and optionally `available_at` (int64, microseconds), and a
`manifest.json` with encoder, dimension, count and sha256. A folder without a manifest is
accepted, since encoders often write bare Parquet; one with a manifest is held to it.
"""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features import hashing, id_table, manifest, similarity, storage
from features.errors import UserInputError

_ALWAYS = np.iinfo(np.int64).min


@dataclasses.dataclass(frozen=True)
class EmbeddingSet:
    """A quantised embedding set, sorted by item id.

    Row N, one past the last item, is the zero vector that stands for every item without an
    embedding, so that a look-up needs no branch.

    Attributes:
      item_ids: `[N]` int64, strictly ascending.
      quantized: `[N + 1, M]` int8.
      norms: `[N + 1]` float32.
      available_at: `[N + 1]` int64, microseconds; an embedding counts from then on.
      fingerprint: 16 hexadecimal digits over ids, vectors and times, see `row_fingerprints`.
      rejected: rows that were left out: file, row and reason.
    """

    item_ids: np.ndarray
    quantized: np.ndarray
    norms: np.ndarray
    available_at: np.ndarray
    fingerprint: str
    rejected: tuple[dict[str, object], ...] = ()

    @property
    def dimension(self) -> int:
        """The embedding width M."""
        return self.quantized.shape[1]

    @property
    def arrives_late(self) -> bool:
        """Whether some embedding counts from a certain time on only."""
        return bool(np.any(self.available_at != _ALWAYS))

    def rows(self, item_ids: np.ndarray) -> np.ndarray:
        """Returns each item's row, N where it has no embedding; any shape."""
        return id_table.positions(item_ids, self.item_ids)


def from_vectors(
    item_ids: np.ndarray,
    vectors: np.ndarray,
    available_at: np.ndarray | None = None,
    rejected: tuple[dict[str, object], ...] = (),
) -> EmbeddingSet:
    """Quantises vectors into an embedding set.

    Args:
      item_ids: `[N]` int64, distinct, any order.
      vectors: `[N, M]` float16, float32 or int8, finite.
      available_at: `[N]` int64 microseconds, or None for always.
      rejected: rows that the caller left out.
    """
    order = np.argsort(item_ids, kind="stable")
    item_ids = np.asarray(item_ids, np.int64)[order]
    if np.any(np.diff(item_ids) == 0):
        raise ValueError("item_ids must be distinct.")
    quantized, norms = similarity.quantize(vectors[order])
    times = np.full(len(item_ids), _ALWAYS) if available_at is None else available_at[order]
    quantized = np.concatenate([quantized, np.zeros((1, vectors.shape[1]), np.int8)])
    norms = np.append(norms, np.float32(0))
    times = np.append(times, _ALWAYS).astype(np.int64)
    fingerprint = sum_fingerprints(row_fingerprints(item_ids, quantized[:-1], times[:-1]))
    return EmbeddingSet(item_ids, quantized, norms, times, fingerprint, rejected)


def row_fingerprints(
    item_ids: np.ndarray, quantized: np.ndarray, available_at: np.ndarray
) -> np.ndarray:
    """Returns a 64-bit hash of each row of an embedding set.

    A set's fingerprint is their sum modulo 2^64 (`sum_fingerprints`), so that workers that hold
    parts of it in any order can add theirs up.

    Args:
      item_ids: `[N]` int64.
      quantized: `[N, M]` int8.
      available_at: `[N]` int64 microseconds, the least int64 for always.

    Returns:
      `[N]` uint64.
    """
    count, width = quantized.shape
    words = -(-width // 8)
    padded = np.zeros((count, words * 8), np.int8)
    padded[:, :width] = quantized
    # The width goes in too: padding must not make two widths alike.
    mixed = hashing.mix(np.full(count, width, np.uint64))
    columns = [item_ids, available_at, *padded.view("<i8").T]
    for column in columns:
        mixed = hashing.mix(mixed + np.asarray(column, np.int64).view(np.uint64))
    return mixed


def sum_fingerprints(fingerprints: np.ndarray) -> str:
    """Returns the sum of rows' or parts' fingerprints modulo 2^64, 16 hexadecimal digits.

    Args:
      fingerprints: `[N]` uint64.
    """
    return f"{int(np.sum(fingerprints, dtype=np.uint64)):016x}"


def write_embedding_set(
    folder: str, item_ids: np.ndarray, vectors: np.ndarray, encoder: str, version: str
) -> None:
    """Writes vectors as an embedding set with its manifest.

    Args:
      folder: created if absent.
      item_ids: `[N]` int64 or str.
      vectors: `[N, M]` float16 or float32.
      encoder: the name of the model that made the vectors.
      version: of that model or run.
    """
    storage.make_folder(folder)
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    embedding = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    path = storage.join(folder, "part-00000.parquet")
    with storage.OutputFile(path) as file:
        table = pa.table({"item_id": pa.array(item_ids), "embedding": embedding})
        pq.write_table(table, file.stream)
    manifest.write_manifest(
        folder,
        {
            "encoder": encoder,
            "version": version,
            "dimension": int(vectors.shape[1]),
            "count": len(item_ids),
            "sha256": {storage.base_name(path): manifest.file_sha256(path)},
        },
    )


def read_embedding_set(folder: str) -> EmbeddingSet:
    """Reads, checks and quantises an embedding set.

    Rows with a null id, a duplicate id, a null, too short, too long or non-finite vector are
    left out and listed in `rejected`.

    Raises:
      UserInputError: the folder holds no Parquet, a file lacks a column or has it in another
        type, or a file is not what the manifest says.
    """
    paths = parquet_files(folder)
    width = _declared_dimension(folder, paths)
    rejected: list[dict[str, object]] = []
    parts = [_read_file(path, width, rejected) for path in paths]
    ids, vectors, times, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    files = np.repeat(np.arange(len(paths)), [len(part[0]) for part in parts])
    _, first = np.unique(ids, return_index=True)
    for duplicate in np.setdiff1d(np.arange(len(ids)), first):
        reason = f"item_id {ids[duplicate]} appeared before"
        origin = {"file": paths[files[duplicate]], "row": int(rows[duplicate])}
        rejected.append({**origin, "reason": reason})
    if not first.size:
        raise UserInputError(f"Embedding set {folder!r} has no usable row. First: {rejected[:3]}.")
    return from_vectors(ids[first], vectors[first], times[first], tuple(rejected))


def parquet_files(folder: str) -> list[str]:
    """Returns the Parquet files of a folder in the order of their names.

    Raises:
      UserInputError: there is no such folder, or it holds no Parquet file.
    """
    if folder.endswith(".parquet") and storage.is_file(folder):
        return [folder]
    paths = storage.list_files(folder, ".parquet")
    if not paths:
        raise UserInputError(f"{folder!r} holds no .parquet file. Give a folder that does.")
    return paths


def _declared_dimension(folder: str, paths: list[str]) -> int:
    """Returns M from the manifest or the first file, and holds the files to the manifest."""
    declared = None
    if storage.is_file(storage.join(folder, manifest.FILE_NAME)):
        values = manifest.read_manifest(folder)
        declared = values["dimension"]
        for path in paths:
            expected = values["sha256"].get(storage.base_name(path))
            if expected != manifest.file_sha256(path):
                raise UserInputError(
                    f"{path!r} is not the file that {folder!r}'s manifest describes (sha256 "
                    f"expected {expected}). Copy the embedding set again, or write a new manifest."
                )
    schema = _read_schema(paths[0])
    embedding = schema.field("embedding").type
    if pa.types.is_fixed_size_list(embedding):
        declared = declared or embedding.list_size
    if declared is None:
        with storage.open_parquet(paths[0]) as file:
            lengths = pc.list_value_length(file.read(columns=["embedding"])["embedding"])
        declared = pc.mode(lengths)[0]["mode"].as_py() if len(lengths) else 1
    return declared


def _read_schema(path: str) -> pa.Schema:
    """Reads and checks a file's schema."""
    try:
        with storage.open_parquet(path) as file:
            schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(f"{path!r} is not a readable Parquet file: {error}") from error
    for name, accepted in (("item_id", _is_id), ("embedding", _is_vector)):
        if name not in schema.names:
            raise UserInputError(
                f"{path!r} has no column {name!r}, only {schema.names}. An embedding set has "
                "item_id and embedding."
            )
        if not accepted(schema.field(name).type):
            raise UserInputError(
                f"{path!r}: column {name!r} is {schema.field(name).type}, expected "
                f"{'int64 or string' if name == 'item_id' else 'a list of float or int8'}."
            )
    if "available_at" in schema.names:
        received = schema.field("available_at").type
        if not pa.types.is_integer(received):
            raise UserInputError(
                f"{path!r}: column 'available_at' is {received}, expected int64 microseconds."
            )
    return schema


def _is_id(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_vector(kind: pa.DataType) -> bool:
    if not (
        pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    ):
        return False
    return pa.types.is_floating(kind.value_type) or pa.types.is_int8(kind.value_type)


def _read_file(
    path: str, width: int, rejected: list[dict[str, object]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns a file's usable rows: ids, vectors, times and row numbers."""
    columns = _read_schema(path).names
    try:
        with storage.open_parquet(path) as file:
            table = file.read().combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{path!r} cannot be read: {error}. Write it again; a fixed-size list must hold no "
            "null, so leave such rows out or write a plain list."
        ) from error
    embedding = table["embedding"].combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(embedding), -1).to_numpy(zero_copy_only=False)
    reasons = np.full(len(table), "", object)
    reasons[table["item_id"].is_null().to_numpy(zero_copy_only=False)] = "item_id is null"
    reasons[lengths < 0] = "embedding is null"
    wrong = (lengths >= 0) & (lengths != width)
    reasons[wrong] = f"embedding does not have {width} values"
    complete = lengths == width
    values = pc.list_flatten(embedding.filter(pa.array(complete)))
    vectors = np.full((len(table), width), np.nan, np.float32)
    vectors[complete] = values.to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, width)
    reasons[complete & ~np.isfinite(vectors).all(axis=1)] = "embedding holds NaN or infinity"
    good = reasons == ""
    for row in np.flatnonzero(~good):
        rejected.append({"file": path, "row": int(row), "reason": reasons[row]})
    ids = hashing.ids_of_column(table["item_id"].filter(pa.array(good)))
    if "available_at" in columns:
        times = table["available_at"].fill_null(_ALWAYS).to_numpy()[good]
    else:
        times = np.full(len(ids), _ALWAYS)
    return ids, vectors[good], times, np.flatnonzero(good)
