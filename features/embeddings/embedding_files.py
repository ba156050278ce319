"""An embedding set on disk.

It is a folder of Parquet files with the columns `item_id` (int64 or string), `embedding` (a list
of float16, float32 or int8, or int8 as fixed-size binary, see `byte_vectors`) and optionally
`available_at` (see `availability`), and a `manifest.json` with encoder, version, dimension, count
and sha256. The manifest may be missing, since encoders often write bare Parquet; if it is there,
files must match it. In a folder of versions (`pipeline.ingest_embeddings`), the published one is
read.
"""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import id_kinds
from features.arrays import Array, Integers
from features.embeddings import availability, byte_vectors
from features.embeddings.availability import AVAILABLE_AT
from features.errors import UserInputError
from features.files import manifest, storage
from features.files.parquet_folder import parquet_files, published_folder
from features.id_kinds import Kind
from features.ids import hashing

ALWAYS = availability.ALWAYS
"""The `available_at` of an embedding that is available at any time."""

DUPLICATE = "item_id appeared before"
"""The reason for rejecting a row whose id an earlier row has."""

VECTORS = "a list of float or int8, or fixed-size binary of int8"
"""The types that `is_vector` accepts, for messages."""


@dataclasses.dataclass(frozen=True)
class RowGroup:
    """A Parquet row group, the unit of reading.

    Attributes:
      path: the file's.
      file: the file's position in the order of names.
      number: the row group's position in the file.
      first_row: position in the file of the row group's first row.
    """

    path: str
    file: int
    number: int
    first_row: int


@dataclasses.dataclass(frozen=True)
class EmbeddingFiles:
    """The files of an embedding set, whose schemas were checked.

    Attributes:
      paths: the files, sorted by name.
      row_groups: all row groups, in the files' order.
      dimension: the embedding width M.
      rows: number of rows, including those that `read_rows` will reject.
      encoder: name and version of the encoder; empty without a manifest.
      item_kind: the kind of their item ids, by the manifest, else by the column's type.
    """

    paths: tuple[str, ...]
    row_groups: tuple[RowGroup, ...]
    dimension: int
    rows: int
    encoder: str
    item_kind: Kind | None = None


@dataclasses.dataclass(frozen=True)
class VectorRows:
    """The usable rows of a row group, N of them.

    Attributes:
      item_ids: `[N]` int64; ids may repeat.
      vectors: `[N, M]` float32, finite, or int8 if the file has int8.
      available_at: `[N]` int64, microseconds.
      rows: `[N]` int64, their positions in the file.
      rejected: row and reason of each unusable row.
    """

    item_ids: Integers
    vectors: Array
    available_at: Integers
    rows: Integers
    rejected: tuple[dict[str, object], ...]


def is_vector(kind: pa.DataType) -> bool:
    """Whether a type can hold embeddings."""
    if byte_vectors.is_column(kind):
        return True
    is_list = (
        pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    )
    return bool(
        is_list and (pa.types.is_floating(kind.value_type) or pa.types.is_int8(kind.value_type))
    )


def fixed_width(kind: pa.DataType) -> int | None:
    """Returns the embedding width M of a fixed-size type, None for other types."""
    if byte_vectors.is_column(kind):
        return int(kind.byte_width)
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else None


def open_files(folder: str) -> EmbeddingFiles:
    """Opens an embedding set, and checks the files' schemas and, with a manifest, their bytes.

    Args:
      folder: a folder of Parquet files, or one file.

    Raises:
      UserInputError: the folder holds no Parquet file, a column is missing or has another type, a
        file does not match the manifest, or files have ids of two kinds.
    """
    folder = published_folder(folder)
    paths = parquet_files(folder)
    declared, encoder, item_kind = _manifest(folder, paths)
    groups, rows, kinds = [], 0, {}
    for number, path in enumerate(paths):
        sizes, kinds[path] = _row_group_sizes(path)
        starts = np.append(0, np.cumsum(sizes)).tolist()
        groups += [RowGroup(path, number, group, starts[group]) for group in range(len(sizes))]
        rows += starts[-1]
    dimension = declared or _first_dimension(paths[0])
    return EmbeddingFiles(
        tuple(paths), tuple(groups), dimension, rows, encoder, item_kind or _one_kind(kinds)
    )


def read_rows(dimension: int, group: RowGroup, time_unit: str = "us") -> VectorRows:
    """Reads a row group.

    Args:
      dimension: the embedding width M; rows of another width are rejected.
      group: the row group to read.
      time_unit: of integers in `available_at`: `s`, `ms`, `us` or `ns`.

    Raises:
      UserInputError: the file is not readable, or a time is out of range.
    """
    try:
        with storage.open_parquet(group.path) as file:
            table = file.read_row_group(group.number).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{group.path!r} cannot be read: {error}. Write it again; a fixed-size list must hold "
            "no null, so leave such rows out or write a plain list."
        ) from error
    embedding = byte_vectors.as_lists(table["embedding"].combine_chunks())
    # One reason per row of the row group, empty for usable rows; -1 is the length of a null.
    lengths = pc.fill_null(pc.list_value_length(embedding), -1).to_numpy(zero_copy_only=False)
    reasons = np.full(len(table), "", object)
    reasons[table["item_id"].is_null().to_numpy()] = "item_id is null"
    reasons[lengths < 0] = "embedding is null"
    wrong = (lengths >= 0) & (lengths != dimension)
    reasons[wrong] = f"embedding does not have {dimension} values"
    complete = lengths == dimension
    # Rows of the right length alone are one block of numbers, [complete rows, M].
    values = pc.list_flatten(embedding.filter(pa.array(complete))).to_numpy(zero_copy_only=False)
    vectors = values.reshape(-1, dimension)
    if vectors.dtype != np.int8:
        vectors = vectors.astype(np.float32, copy=False)
        finite = np.isfinite(vectors).all(axis=1)
        reasons[np.flatnonzero(complete)[~finite]] = "embedding holds NaN or infinity"
    good = reasons == ""
    rejected = tuple(
        {"row": group.first_row + int(row), "reason": reasons[row]} for row in np.flatnonzero(~good)
    )
    times = np.full(len(table), ALWAYS)
    if AVAILABLE_AT in table.column_names:
        times = _times(group.path, table[AVAILABLE_AT], time_unit)
    return VectorRows(
        item_ids=hashing.ids_of_column(table["item_id"].filter(pa.array(good))),
        vectors=vectors[good[complete]],
        available_at=times[good],
        rows=group.first_row + np.flatnonzero(good),
        rejected=rejected,
    )


def _times(path: str, column: pa.ChunkedArray, unit: str) -> Integers:
    try:
        return availability.microseconds(column, unit)
    except pa.ArrowInvalid as error:
        raise UserInputError(
            f"{path!r}: column {AVAILABLE_AT!r} ({column.type}) holds a time that int64 cannot "
            f"hold in microseconds: {error}. Write it in microseconds since 1970."
        ) from error


def _manifest(folder: str, paths: list[str]) -> tuple[int | None, str, Kind | None]:
    """Returns M, encoder and kind of ids from a manifest, and checks the files against it."""
    if not storage.is_file(storage.join(folder, manifest.FILE_NAME)):
        return None, "", None
    values = manifest.read_manifest(folder)
    for path in paths:
        expected = values["sha256"].get(storage.base_name(path))
        if expected != manifest.file_sha256(path):
            raise UserInputError(
                f"{path!r} is not the file that {folder!r}'s manifest describes (sha256 "
                f"expected {expected}). Copy the embedding set again, or write a new manifest."
            )
    encoder = f"{values.get('encoder')} {values.get('version')}"
    return values["dimension"], encoder, id_kinds.item_kind(values)


def _one_kind(kinds: dict[str, Kind]) -> Kind:
    """Returns the kind of the ids of all files."""
    first = next(iter(kinds))
    for path, kind in kinds.items():
        remedy = "Write item_id alike in all files."
        id_kinds.check(kind, repr(path), kinds[first], repr(first), remedy)
    return kinds[first]


def _first_dimension(path: str) -> int:
    """Returns M from the first file: for plain lists it is the most frequent length."""
    with storage.open_parquet(path) as file:
        width = fixed_width(file.schema_arrow.field("embedding").type)
        if width is not None:
            return width
        lengths = pc.list_value_length(file.read(columns=["embedding"])["embedding"])
    return pc.mode(lengths)[0]["mode"].as_py() if len(lengths) else 1


def _row_group_sizes(path: str) -> tuple[list[int], Kind]:
    """Checks a file's schema and returns the rows of each row group, and the kind of its ids."""
    try:
        with storage.open_parquet(path) as file:
            schema, metadata = file.schema_arrow, file.metadata
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(f"{path!r} is not a readable Parquet file: {error}") from error
    for name, accepted, expected in (
        ("item_id", _is_id, "int64 or string"),
        ("embedding", is_vector, VECTORS),
    ):
        if name not in schema.names:
            raise UserInputError(
                f"{path!r} has no column {name!r}, only {schema.names}. An embedding set has "
                "item_id and embedding."
            )
        if not accepted(schema.field(name).type):
            raise UserInputError(
                f"{path!r}: column {name!r} is {schema.field(name).type}, expected {expected}."
            )
    if AVAILABLE_AT in schema.names:
        received = schema.field(AVAILABLE_AT).type
        if not availability.is_time(received):
            raise UserInputError(
                f"{path!r}: column {AVAILABLE_AT!r} is {received}, expected "
                f"{availability.EXPECTED}. Cast it, or leave it out."
            )
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return sizes, id_kinds.of_type(schema.field("item_id").type)


def _is_id(kind: pa.DataType) -> bool:
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(pa.types.is_integer(kind) or is_text)
