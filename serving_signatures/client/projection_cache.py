"""Reader side of a projection cache: what `pipeline.backfill` wrote, looked up by item id.

    <folder>/<cache>/parts/<sha256>.parquet    immutable, shared between versions
    <folder>/<cache>/versions/000001.json      what a version holds, and under which tag
    <folder>/<cache>/CURRENT                   the number of the published version

A part holds `item_id` (int64, ascending) and the outputs of the signature that the cache is
named after, but for the tag: lists of fixed size in row-major order, int8 as binary of fixed size
(see `byte_vectors`), or plain numbers.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features import id_kinds
from features.arrays import Array, Integers
from features.embeddings import byte_vectors
from features.errors import UserInputError
from features.files import storage, versions
from features.id_kinds import Kind
from features.ids import id_table

ITEM_ID = "item_id"
TAG_KEY = b"tag"
"""The key of the tag in a part's own metadata."""

ADVICE = "Run the backfill with --recompute, which computes every row again."


class DamagedPartError(UserInputError):
    """A part does not match its entry in the version's manifest."""


class ProjectionCache:
    """A published version of a cache, held in memory.

    Args:
      version: its number.
      tag: fingerprint of all that the rows were computed from; an input of `score_cached`.
      item_ids: `[N]` int64, distinct, any order.
      columns: `[N + 1, ...]` by output; row N is zeros, for unknown items.
      item_kind: what the ids are in the catalog, integers or strings by their hash; None for a
        cache of an earlier version.
    """

    def __init__(
        self,
        version: int,
        tag: str,
        item_ids: Integers,
        columns: Mapping[str, Array],
        item_kind: Kind | None = None,
    ):
        self.version, self.tag, self.item_kind = version, tag, item_kind
        self._rows = np.argsort(item_ids, kind="stable")
        self._item_ids = item_ids[self._rows]
        self._rows = np.append(self._rows, len(item_ids))
        self._columns = dict(columns)

    @classmethod
    def open(cls, folder: str, cache: str) -> "ProjectionCache":
        """Reads the published version into memory.

        Args:
          folder: the backfill's output, local or remote.
          cache: `id_projections` or `target_aware_projections`.

        Raises:
          UserInputError: there is no such cache, or a part is damaged, missing or of another tag.
        """
        base = storage.join(folder, cache)
        while True:
            version = versions.current(base)
            if version is None:
                raise UserInputError(
                    f"{folder!r} holds no published {cache}. Run `python -m pipeline.backfill "
                    f"--saved_model DIR --items DIR --output {folder}` first."
                )
            try:
                return cls._read(base, read_version(base, version))
            except UserInputError:
                # A job that published newer versions meanwhile may have pruned this one.
                if versions.current(base) == version:
                    raise

    @classmethod
    def _read(cls, base: str, values: Mapping[str, Any]) -> "ProjectionCache":
        item_ids = np.empty(values["items"], np.int64)
        columns = {
            name: np.zeros((values["items"] + 1, *column["shape"]), column["dtype"])
            for name, column in values["columns"].items()
        }
        begin = 0
        for part in values["parts"]:
            table = read_part(base, part, values["tag"])
            end = begin + table.num_rows
            item_ids[begin:end] = table[ITEM_ID].to_numpy()
            for name, column in columns.items():
                column[begin:end] = flat_values(table[name]).reshape(-1, *column.shape[1:])
            begin = end
        kind = id_kinds.item_kind(values)
        return cls(values["version"], values["tag"], item_ids, columns, kind)

    def __len__(self) -> int:
        """How many items it holds."""
        return len(self._item_ids)

    @property
    def item_ids(self) -> Integers:
        """The items, `[N]` int64, ascending."""
        return self._item_ids

    def lookup(self, item_ids: Integers) -> tuple[Array, dict[str, Array]]:
        """Returns the projections of items.

        Args:
          item_ids: int64, any shape.

        Returns:
          Which items are known, bool of the same shape; and each output by its name in the
          signature, `[*shape of item_ids, ...]`, zeros where the item is not known.
        """
        positions = id_table.positions(item_ids, self._item_ids)
        known = positions < len(self._item_ids)
        # Of an empty cache `positions` is 0 everywhere, which is its row of zeros.
        rows = self._rows[positions]
        return known, {name: values[rows] for name, values in self._columns.items()}


def read_version(base: str, version: int) -> dict[str, Any]:
    """Reads the manifest of a version.

    Args:
      base: the cache's own folder.
      version: its number.

    Raises:
      UserInputError: it is missing or not JSON.
    """
    path = versions.path_of(base, version, ".json")
    if not storage.is_file(path):
        raise UserInputError(
            f"{base!r} has no version {version}: {path!r} is missing. Write the number of a "
            f"version that is there into {versions.POINTER}, or remove {versions.POINTER} and "
            "fill the cache again."
        )
    try:
        values: dict[str, Any] = json.loads(storage.read_bytes(path))
    except ValueError as error:
        raise UserInputError(f"{path!r} is not JSON ({error}). Fill the cache again.") from error
    return values


def part_path(base: str, part: Mapping[str, Any]) -> str:
    """Returns the path of a part by its entry in a version's manifest."""
    return storage.join(base, "parts", part["file"])


def read_part(base: str, part: Mapping[str, Any], tag: str) -> pa.Table:
    """Reads a part and checks its bytes and its tag.

    Args:
      base: the cache's own folder.
      part: its entry in the version's manifest.
      tag: the version's.

    Raises:
      DamagedPartError: it is missing, has other bytes, or is of another tag.
    """
    path = part_path(base, part)
    try:
        data = storage.read_bytes(path)
    except OSError as error:
        raise DamagedPartError(f"{path!r} cannot be read: {error}. {ADVICE}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != part["sha256"]:
        raise DamagedPartError(
            f"{path!r} is damaged: its sha256 is {digest}, expected {part['sha256']}. {ADVICE}"
        )
    table = pq.read_table(pa.BufferReader(data))
    check_tag(path, table.schema, tag)
    return table


def check_tag(path: str, schema: pa.Schema, tag: str) -> None:
    """Refuses a part of another tag than its version's.

    Raises:
      DamagedPartError: names both.
    """
    own = (schema.metadata or {}).get(TAG_KEY, b"").decode()
    if own != tag:
        raise DamagedPartError(f"{path!r} is of tag {own!r}, its version of {tag!r}. {ADVICE}")


def flat_values(column: pa.ChunkedArray) -> Array:
    """Returns a column as an array, `[N]` or, of lists or bytes, `[N, K]`."""
    rows = byte_vectors.as_lists(column.combine_chunks())
    if not pa.types.is_fixed_size_list(rows.type):
        numbers: Array = rows.to_numpy(zero_copy_only=False)
        return numbers
    values: Array = rows.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), rows.type.list_size)
