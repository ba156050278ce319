"""Keys and values of projections in Redis, as `RedisProjectionStore` reads them.

An entry is an item's projections one after another, in the order of their names, behind a
checksum of 8 bytes. Names, dtypes and shapes are kept once per tag, as its layout.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from features.arrays import Array, DType, Integers
from serving_signatures.client.checksums import CHECKSUM_BYTES, Checksums

TAG = "tag"
"""The key of a cache whose value is the tag that was written last."""

LAYOUT = "layout"
"""The key of a tag whose value is its layout."""


class EntryKeys:
    """The keys of one cache.

    Args:
      prefix: of every key; one per model.
      cache: its name.
    """

    def __init__(self, prefix: str, cache: str) -> None:
        self._begin = f"{prefix}:{cache}:"

    def of_cache(self, name: str) -> str:
        """Returns a key of the cache as a whole, such as its `tag`."""
        return f"{self._begin}{name}"

    def of_tag(self, tag: str, name: str) -> str:
        """Returns a key of a tag as a whole, such as its `layout`."""
        return f"{self._begin}{tag}:{name}"

    def of_items(self, tag: str, item_ids: Integers) -> list[str]:
        """Returns the keys of items `[N]`."""
        begin = self.of_tag(tag, "")
        return [f"{begin}{item}" for item in item_ids.tolist()]


class EntryLayout:
    """How an item's projections lie in an entry.

    Args:
      outputs: dtype and shape of each projection of one item, by name.

    Attributes:
      encoded: the layout as JSON, the value under its key.
    """

    def __init__(self, outputs: Mapping[str, tuple[DType, tuple[int, ...]]]) -> None:
        # By name, so that all processes write the same layout: answers come in any order.
        fields = [(name, dtype.str, shape) for name, (dtype, shape) in sorted(outputs.items())]
        # A structured array holds an item's projections one after another, without gaps.
        self._dtype = np.dtype(fields)
        self.encoded = json.dumps(fields).encode()
        self._checksums = Checksums(self.encoded)

    @classmethod
    def of(cls, projections: Mapping[str, Array]) -> "EntryLayout":
        """Returns the layout of projections `[N, ...]`."""
        return cls({name: (one.dtype, one.shape[1:]) for name, one in projections.items()})

    @property
    def value_bytes(self) -> int:
        """Of an entry's value."""
        return CHECKSUM_BYTES + self._dtype.itemsize

    def values(self, keys: Sequence[str], projections: Mapping[str, Array]) -> Array:
        """Returns the values of entries.

        Args:
          keys: of N items.
          projections: `[N, ...]` by name.

        Returns:
          `[N, value_bytes]` uint8.
        """
        rows = np.empty(len(keys), self._dtype)
        for name, value in projections.items():
            rows[name] = value
        data = rows.tobytes()
        checksums = self._checksums.of_rows(keys, data)
        widths = (CHECKSUM_BYTES, self._dtype.itemsize)
        return np.concatenate(
            [
                np.frombuffer(one, np.uint8).reshape(len(keys), width)
                for one, width in zip((checksums, data), widths, strict=True)
            ],
            axis=1,
        )
