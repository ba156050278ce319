"""What a backfill reads: the model's manifest, the catalog, the items' vectors."""

import dataclasses
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import id_kinds
from features.embeddings import item_coverage
from features.embeddings.embedding_set import EmbeddingSet, row_fingerprints
from features.errors import UserInputError
from features.files import checked, manifest, storage
from features.id_kinds import Kind
from features.ids import hashing
from features.schema import ExampleSchema
from features.tables import kinds
from features.tables.options import DEFAULT, TableOptions
from features.tables.renames import check_renames_used
from features.tables.table import Table, open_table
from pipeline.embedding_sets import embedding_inputs
from serving_signatures import names
from serving_signatures.client.cache_parts import ITEM_ID
from serving_signatures.names import CACHES
from serving_signatures.versions import exported_version

_ROWS_AT_ONCE = 1 << 16


@dataclasses.dataclass(frozen=True)
class ExportedModel:
    """What a backfill reads of an exported version's manifest.

    Attributes:
      folder: the version's folder.
      identity: `version` (the folder's name) and the `sha256` of its manifest.
      tags: by cache.
      modalities: embedding width by modality.
      fingerprints: of the embedding sets inside the model, by modality; empty where none is.
      values: of the manifest, as it was opened.
      item_kind: what item ids it was trained on; None for an export of an earlier version.
    """

    folder: str
    identity: Mapping[str, str]
    tags: Mapping[str, str]
    modalities: Mapping[str, int]
    fingerprints: Mapping[str, str]
    values: Mapping[str, Any]
    item_kind: Kind | None = None

    @classmethod
    def open(cls, folder: str) -> "ExportedModel":
        """Reads the manifest that `pipeline.export` wrote.

        Raises:
          UserInputError: there is none, or the model has no projection signatures.
        """
        values = exported_version.read_values(folder)
        tags = {cache: values["tags"].get(tag) for cache, tag in CACHES.items()}
        if None in tags.values():
            raise UserInputError(
                f"--saved_model {folder!r} has no signatures {', '.join(CACHES)}: only the model "
                f"'dmf' has. Its tags are {values['tags']}."
            )
        schema = ExampleSchema.from_dict(values["schema"])
        identity = {
            "version": storage.base_name(os.path.abspath(folder)),
            "sha256": checked.sha256(_manifest_path(folder)),
        }
        modalities = {one.name: one.dimension for one in schema.modalities}
        kind = schema.id_kinds.item
        return cls(folder, identity, tags, modalities, values["embeddings"], values, kind)

    @property
    def vectors_in_request(self) -> bool:
        """Whether `target_aware_projections` takes vectors, not ids."""
        return not self.fingerprints

    def check(self) -> None:
        """Checks that its files are those that its manifest describes, and that it is the same.

        Raises:
          UserInputError: names the file that is damaged, or was replaced since it was opened.
        """
        remedy = "The model was replaced meanwhile. Run the backfill again."
        path = _manifest_path(self.folder)
        checked.verify(path, {"sha256": self.identity["sha256"]}, remedy, stream=True)
        exported_version.check_files(self.folder, self.values)


def _manifest_path(folder: str) -> str:
    return storage.join(folder, exported_version.EXTRAS, manifest.FILE_NAME)


@dataclasses.dataclass(frozen=True)
class Catalog:
    """The items to have projections of.

    Attributes:
      item_ids: `[N]` int64, distinct, ascending.
      table: its files.
      counts: `rows`, and the rows that were left out: `null`, `empty`, `duplicate`.
    """

    item_ids: np.ndarray
    table: Table
    counts: Mapping[str, int]

    @property
    def item_kind(self) -> Kind:
        """What the ids are."""
        return id_kinds.of_type(self.table.reader.kinds[ITEM_ID])

    @classmethod
    def open(cls, locations: str | Sequence[str], options: TableOptions = DEFAULT) -> "Catalog":
        """Reads the ids of a table.

        Args:
          locations: folders, files or globs.
          options: of the table.

        Raises:
          UserInputError: a file is not readable or has no `item_id`, or there is no item.
        """
        table = open_table(locations, "items", options)
        table.column(ITEM_ID, kinds.is_id, "int64 or string")
        ids = [np.zeros(0, np.int64)]
        counts = {"rows": 0, "null": 0, "empty": 0, "duplicate": 0}
        for column in table.read([ITEM_ID])[ITEM_ID].chunks:
            counts["rows"] += len(column)
            counts["null"] += column.null_count
            known = column.drop_null()
            if kinds.is_text(known.type):
                filled = known.filter(pc.greater(pc.binary_length(known), 0))
                counts["empty"] += len(known) - len(filled)
                known = filled
            ids.append(hashing.ids_of_column(known))
        good = np.concatenate(ids)
        distinct = np.unique(good)
        counts["duplicate"] = len(good) - len(distinct)
        if not len(distinct):
            raise UserInputError(f"--items: {table.location!r} holds no item: {counts}.")
        return cls(distinct, table, counts)

    @property
    def item_type(self) -> dict[str, pa.DataType]:
        """The type of the ids, int64, string or binary, by file, of one file."""
        return {self.table.schema.columns[ITEM_ID].path: self.table.reader.kinds[ITEM_ID]}


@dataclasses.dataclass(frozen=True)
class CatalogVectors:
    """The catalog's vectors, for a model that takes them in its request.

    The vectors are on the local disk: beside the model, those of a large catalog would be most of a
    backfill's memory.

    Attributes:
      embeddings: by modality, all of the model's; none where the tables are inside it.
      tables: the files that were opened.
      files: `[N + 1, M]` int8 of each modality.
    """

    embeddings: Mapping[str, EmbeddingSet]
    tables: tuple[Table, ...] = ()
    files: Mapping[str, IO[bytes]] = dataclasses.field(default_factory=dict)

    @classmethod
    def open(
        cls,
        locations: Mapping[str, str | Sequence[str]],
        model: ExportedModel,
        catalog: Catalog,
        min_coverage: float,
        options: TableOptions = DEFAULT,
    ) -> "CatalogVectors":
        """Reads the embedding sets and compares them with the model.

        Args:
          locations: folders, files or globs by modality, as flags name them.
          model: whose request they are for.
          catalog: its ids are of the same kind.
          min_coverage: the least share of the catalog's items that have a vector in each set.
          options: of the tables.

        Raises:
          UserInputError: a set is missing, too many, of another width, of other items than the
            catalog, or not the one inside the model.
        """
        if not model.vectors_in_request and not locations:
            check_renames_used(options, [catalog.table])
            return cls({})
        if locations.keys() != model.modalities.keys():
            each = " ".join(f"--embeddings {name}=DIR" for name in sorted(model.modalities))
            raise UserInputError(
                f"--embeddings are of {sorted(locations)}, but the model's "
                f"{names.TARGET_AWARE_PROJECTIONS} reads {sorted(model.modalities)}. Give {each}"
                + ("." if model.vectors_in_request else ", or none: the model holds its own.")
            )
        opened = embedding_inputs.open_all(locations, options, catalog.item_type)
        sets = tuple(files.table for files in opened.values())
        check_renames_used(options, [catalog.table, *sets])
        embeddings, stored = {}, {}
        for name, files in opened.items():
            read = embedding_inputs.read_opened({name: files})[name]
            stored[name] = _stored(read.quantized)
            mapped = _mapped(stored[name], read.dimension)
            embeddings[name] = dataclasses.replace(read, quantized=mapped)
            del read
        widths = {name: one.dimension for name, one in embeddings.items()}
        if widths != dict(model.modalities):
            raise UserInputError(
                f"--embeddings have the widths {widths}, the model expects {model.modalities}. "
                "Give the sets of the encoder that it was trained with."
            )
        kind, things = catalog.item_kind, "items of the catalog"
        item_coverage.check(embeddings, catalog.item_ids, kind, "the catalog", things, min_coverage)
        if model.vectors_in_request:
            return cls(embeddings, sets, stored)
        received = {name: one.fingerprint for name, one in embeddings.items()}
        if received != dict(model.fingerprints):
            raise UserInputError(
                f"--embeddings have the fingerprints {received}, but the sets inside the model "
                f"{dict(model.fingerprints)}. Leave --embeddings out, or export the model with "
                "the sets that you mean."
            )
        return cls({}, sets)

    def quantized(self, item_ids: np.ndarray) -> dict[str, np.ndarray]:
        """Returns items' quantized vectors by modality, `[N, M]` int8; zeros where none is.

        As floats they quantize to themselves, so their projections are those of the encoder's
        own vectors.
        """
        # Mapped anew for each call, so that what was read before is no memory of this process.
        return {
            name: _mapped(self.files[name], one.dimension)[one.rows(item_ids)]
            for name, one in self.embeddings.items()
        }

    def sources(self, item_ids: np.ndarray) -> np.ndarray:
        """Returns a hash of what each item is computed from besides its id, `[N]` int64.

        The quantized vectors are hashed: a change that quantization drops changes no output.
        All 0 where the model holds the vectors, since its tag depends on them.
        """
        mixed = np.zeros(len(item_ids), np.uint64)
        for begin in range(0, len(item_ids), _ROWS_AT_ONCE):
            some = slice(begin, begin + _ROWS_AT_ONCE)
            always = np.zeros(len(item_ids[some]), np.int64)
            for _, quantized in sorted(self.quantized(item_ids[some]).items()):
                rows = row_fingerprints(item_ids[some], quantized, always)
                mixed[some] = hashing.mix(mixed[some] + rows)
        return mixed.view(np.int64)


def _stored(quantized: np.ndarray) -> IO[bytes]:
    """Returns a file on the local disk, without a name, of `[N + 1, M]` int8."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  Lives as long as the vectors.
    file.write(quantized.data)
    file.flush()
    return file


def _mapped(file: IO[bytes], width: int) -> np.ndarray:
    """Returns `[N + 1, M]` int8, of which what is read comes into memory."""
    return np.asarray(np.memmap(file, np.int8, "r")).reshape(-1, width)


def request_inputs(
    cache: str, item_ids: np.ndarray, quantized: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns what a cache's signature takes for some items.

    Args:
      cache: its name.
      item_ids: `[N]` int64.
      quantized: `[N, M]` int8 by modality; empty where the model holds the vectors.
    """
    if cache == names.TARGET_AWARE_PROJECTIONS and quantized:
        return {names.vector(name): one.astype(np.float32) for name, one in quantized.items()}
    return {names.ITEM_IDS: item_ids}
