"""The rows of a published version of a cache, as entries of Redis."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from features.errors import RetryError, UserInputError
from features.files import storage, versions
from serving_signatures.client import cache_parts, cache_version
from serving_signatures.client.cache_parts import ITEM_ID
from serving_signatures.client.redis_entries import EntryKeys, EntryLayout

Part = Mapping[str, Any]
"""A part's entry in the version's manifest: `file`, `rows`, `sha256`."""


class PublishedRows:
    """A published version of a cache.

    Args:
      folder: the backfill's output.
      values: the version's manifest.
      prefix: of every key.

    Attributes:
      cache: its name.
      tag: of the rows.
      version: its number.
      items: how many rows it has.
      keys: of its entries.
      layout: of its entries.
    """

    def __init__(self, folder: str, values: Mapping[str, Any], prefix: str):
        self.cache: str = values["cache"]
        self.tag: str = values["tag"]
        self.version: int = values["version"]
        self.items: int = values["items"]
        self.keys = EntryKeys(prefix, self.cache)
        self._columns: Mapping[str, Mapping[str, Any]] = values["columns"]
        self.layout = EntryLayout(
            {
                name: (np.dtype(one["dtype"]), tuple(one["shape"]))
                for name, one in self._columns.items()
            }
        )
        self._base = storage.join(folder, self.cache)
        self._parts: list[Part] = values["parts"]

    @classmethod
    def open(cls, folder: str, cache: str, prefix: str) -> "PublishedRows":
        """Opens the published version, and looks at what each part says of itself.

        Raises:
          UserInputError: there is no such cache, or its manifest or one of its parts is missing,
            damaged, or of another cache, version or tag.
        """
        base = storage.join(folder, cache)
        number = versions.current(base)
        if number is None:
            raise UserInputError(
                f"{folder!r} holds no published {cache}. Run `python -m pipeline.backfill "
                f"--saved_model DIR --items DIR --output {folder}` first."
            )
        opened = cls(folder, cache_version.read_version(base, number), prefix)
        for part in opened._parts:
            with opened._replaced_meanwhile():
                cache_parts.check_footer(base, part, opened.tag, opened._columns)
        return opened

    @property
    def parts(self) -> Sequence[Part]:
        """Its parts."""
        return self._parts

    @property
    def layout_digest(self) -> str:
        """Changes with the layout."""
        return hashlib.sha256(self.layout.encoded).hexdigest()[:16]

    def read(self, part: Part) -> pa.Table:
        """Reads a part.

        Raises:
          DamagedPartError: its bytes are not those that were published.
          RetryError: it was removed, as a newer version was published.
        """
        with self._replaced_meanwhile():
            return cache_parts.read(self._base, part, self.tag)

    def read_ids(self, part: Part) -> pa.Table:
        """Reads the item ids of a part, with the same checks."""
        with self._replaced_meanwhile():
            return cache_parts.read(self._base, part, self.tag, [ITEM_ID])

    def sample(self, part: Part, rng: np.random.Generator, count: int) -> pa.Table:
        """Reads rows that lie together somewhere in a part that was read before."""
        with self._replaced_meanwhile():
            group = int(rng.integers(cache_parts.groups(self._base, part)))
            table = cache_parts.read_group(self._base, part, group)
        return table.slice(int(rng.integers(max(len(table) - count, 0) + 1)), count)

    def keys_of(self, table: pa.Table) -> list[str]:
        """Returns the keys of a table's rows."""
        return self.keys.of_items(self.tag, table[ITEM_ID].to_numpy())

    def values_of(self, table: pa.Table, keys: Sequence[str]) -> np.ndarray:
        """Returns the values of a table's rows, `[N, V]` uint8."""
        return self.layout.values(
            keys,
            {
                name: cache_parts.flat_values(table[name]).reshape(len(table), *one["shape"])
                for name, one in self._columns.items()
            },
        )

    @contextlib.contextmanager
    def _replaced_meanwhile(self) -> Iterator[None]:
        """Tells a part that a later backfill removed from one that is damaged."""
        try:
            yield
        except UserInputError as error:
            if versions.current(self._base) == self.version:
                raise
            raise RetryError(
                f"{self._base!r}: a newer version than {self.version} was published while it was "
                "read. Run the same command again."
            ) from error
