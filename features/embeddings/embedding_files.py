"""An embedding set on disk.

It is a table, in any format and layout of `features.tables`, with the columns `item_id` (ids),
`embedding` (see `vector_types`) and optionally `available_at` (see `availability`). A
`manifest.json` with encoder, version, dimension, count and sha256 may be missing, since encoders
often write bare files; if it is there, files must match it. In a folder of versions
(`pipeline.ingest_embeddings`), the published one is read.
"""

import collections
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from features import id_kinds
from features.embeddings import availability, set_manifest, vector_types, vector_width
from features.embeddings.availability import AVAILABLE_AT
from features.embeddings.vector_rows import EMBEDDING, ITEM_ID, VectorReader, VectorRows
from features.errors import UserInputError
from features.files import checked
from features.id_kinds import Kind
from features.tables import kinds
from features.tables.options import DEFAULT, TableOptions
from features.tables.reader import Unit
from features.tables.table import Table, open_table

ALWAYS = availability.ALWAYS
"""The `available_at` of an embedding that is available at any time."""

DUPLICATE = "item_id appeared before"
"""The reason for rejecting a row whose id an earlier row has."""

COLUMNS = (ITEM_ID, EMBEDDING, AVAILABLE_AT)
"""The columns that are read."""

_TEXTS = ("csv", "json")


@dataclasses.dataclass(frozen=True)
class EmbeddingFiles:
    """The files of an embedding set, whose schemas were checked.

    Attributes:
      table: the files.
      reader: reads their units.
      encoder: name and version of the encoder; empty without a manifest.
      item_kind: the kind of their item ids, by the manifest, else by the column's type.
      declared_sha256: of the files that a manifest describes, by path.
    """

    table: Table
    reader: VectorReader
    encoder: str
    item_kind: Kind | None = None
    declared_sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, in order."""
        return self.table.paths

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of reading, in the files' order."""
        return self.table.units

    @property
    def rows(self) -> int:
        """Number of rows, including those that are rejected."""
        return self.table.rows

    @property
    def dimension(self) -> int:
        """The embedding width M."""
        return self.reader.dimension

    @property
    def item_type(self) -> Mapping[str, pa.DataType]:
        """The type of the ids, int64, string or binary, by file, of one file."""
        return {self.table.schema.columns[ITEM_ID].path: self.table.reader.kinds[ITEM_ID]}

    @functools.cached_property
    def names(self) -> Mapping[str, str]:
        """The files' names below their locations, by path; the path where two are named alike."""
        times = collections.Counter(file.name for file in self.table.files)
        return {
            file.path: file.name if times[file.name] == 1 else file.path
            for file in self.table.files
        }

    @functools.cached_property
    def sha256(self) -> Mapping[str, str]:
        """The sha256 of each file, by path."""
        return {
            path: self.declared_sha256.get(path)
            or str(fingerprint.get("sha256") or checked.sha256(path))
            for path, fingerprint in zip(self.paths, self.table.fingerprints, strict=True)
        }

    def read(self) -> Iterator[tuple[Unit, VectorRows]]:
        """Reads all rows, batch by batch.

        Raises:
          UserInputError: a unit is not readable, or a file changed while it was read.
        """
        with self.table.unchanged():
            for unit in self.units:
                for rows in self.reader.read(unit):
                    yield unit, rows


def open_files(
    locations: str | Sequence[str],
    flag: str = "embeddings",
    options: TableOptions = DEFAULT,
    time_unit: str = "us",
    quiet: bool = False,
) -> EmbeddingFiles:
    """Opens an embedding set, and checks the files' schemas and, with a manifest, their bytes.

    Args:
      locations: folders, files or globs.
      flag: that named them, such as `embeddings text`.
      options: of the table.
      time_unit: of integers in `available_at`: `s`, `ms`, `us` or `ns`.
      quiet: whether what was found is not logged.

    Raises:
      UserInputError: there is no data, a column is missing or has another type, or a file does
        not match the manifest.
    """
    table = open_vectors(locations, flag, options, quiet)
    try:
        declared = set_manifest.read(table)
    except UserInputError as error:
        raise UserInputError(f"--{flag}: {error}") from error
    dimension = declared.dimension or vector_width.most_frequent(table)
    reader = VectorReader(flag, table.reader, dimension, time_unit)
    item_kind = declared.item_kind or id_kinds.of_type(table.reader.kinds[ITEM_ID])
    return EmbeddingFiles(table, reader, declared.encoder, item_kind, declared.sha256)


def open_vectors(
    locations: str | Sequence[str],
    flag: str,
    options: TableOptions = DEFAULT,
    quiet: bool = False,
) -> Table:
    """Opens the table of an embedding set and checks its columns; manifests are not looked at.

    Raises:
      UserInputError: there is no data, or a column is missing or has another type.
    """
    table = open_table(locations, flag, options, raw=(EMBEDDING,), quiet=quiet)
    table.column(ITEM_ID, kinds.is_id, "int64 or string")
    _check_vectors(table)
    if table.has(AVAILABLE_AT):
        table.column(AVAILABLE_AT, availability.is_time, availability.EXPECTED, everywhere=False)
    # What texts are parsed to.
    types = {**table.reader.kinds, EMBEDDING: pa.list_(pa.float64())}
    return dataclasses.replace(table, reader=dataclasses.replace(table.reader, kinds=types))


def _check_vectors(table: Table) -> None:
    """Checks the type of the vectors in every file."""
    column = table.column(EMBEDDING, lambda kind: True, vector_types.VECTORS)
    texts = {unit.path for unit in table.units if unit.format in _TEXTS}
    for path, kind in column.own_types.items():
        if not (vector_types.is_vector(kind) or kinds.is_null(kind) or path in texts):
            raise UserInputError(
                f"--{table.flag}: {path!r}: column {EMBEDDING!r} is {kind}, expected "
                f"{vector_types.VECTORS}. Cast the column and write the file again, or name "
                f"another one with --column {EMBEDDING}=COLUMN."
            )
