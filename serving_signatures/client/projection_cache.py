"""Reader side of a projection cache: what `pipeline.backfill` wrote, looked up by item id.

    <folder>/<cache>/parts/<sha256>.parquet    immutable, shared between versions
    <folder>/<cache>/versions/000001.json      what a version holds, and under which tag
    <folder>/<cache>/CURRENT                   the number of the published version

A part holds `item_id` (int64, ascending) and the outputs of the signature that the cache is
named after, but for the tag: lists of fixed size in row-major order, int8 as binary of fixed size
(see `features.embeddings.byte_vectors`), or plain numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from features import id_kinds
from features.arrays import Array, Integers
from features.errors import UserInputError
from features.files import storage, versions
from features.id_kinds import Kind
from features.ids import id_table
from serving_signatures.client import cache_parts, cache_version


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
          UserInputError: there is no such cache, or the version's manifest or one of its parts is
            missing, damaged, or of another cache, version or tag.
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
                return cls._read(base, cache_version.read_version(base, version))
            except UserInputError:
                # A job that published newer versions meanwhile may have pruned this one.
                if versions.current(base) == version:
                    raise

    @classmethod
    def _read(cls, base: str, values: Mapping[str, Any]) -> "ProjectionCache":
        for part in values["parts"]:
            cache_parts.check_footer(base, part, values["tag"], values["columns"])
        item_ids = np.empty(values["items"], np.int64)
        columns = {
            name: np.zeros((values["items"] + 1, *column["shape"]), column["dtype"])
            for name, column in values["columns"].items()
        }
        begin = 0
        for part in values["parts"]:
            table = cache_parts.read(base, part, values["tag"])
            end = begin + table.num_rows
            item_ids[begin:end] = table[cache_parts.ITEM_ID].to_numpy()
            for name, column in columns.items():
                rows = cache_parts.flat_values(table[name])
                column[begin:end] = rows.reshape(-1, *column.shape[1:])
            begin = end
        if len(np.unique(item_ids)) != len(item_ids):
            raise UserInputError(
                f"{base!r}: parts of version {values['version']} hold the same items. Run the "
                "backfill with --recompute."
            )
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
