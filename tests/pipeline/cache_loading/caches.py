"""Published caches for the tests of the load, of random rows and without a model."""

import zlib

import numpy as np

from pipeline.cache_loading.options import LoadOptions
from pipeline.catalog_backfill import cache_part
from pipeline.catalog_backfill.cache_folder import CacheFolder
from serving_signatures.client import cache_parts
from serving_signatures.names import CACHES

ID, TARGET = CACHES
TAGS = {ID: "0123456789abcdef", TARGET: "fedcba9876543210"}
OTHER_TAGS = {ID: "1111111111111111", TARGET: "2222222222222222"}

ITEMS = np.array([-(2**62), -3, 0, 7, *range(10**9, 10**9 + 4000 * 3, 3)])
"""Items that a catalog may have, ascending."""

_OUTPUTS = {
    ID: {"query": (np.float32, (2, 3)), "item_embedding": (np.float32, (4,))},
    TARGET: {"quantized_text": (np.int8, (5,)), "norm_text": (np.float32, ())},
}


def rows(cache, tag, count=None):
    """The projections of the first items by name; an item's own do not depend on the count."""
    rng = np.random.default_rng(zlib.crc32(f"{cache} {tag}".encode()))
    return {
        name: (100 * rng.standard_normal((len(ITEMS), *shape))).astype(dtype)[:count]
        for name, (dtype, shape) in _OUTPUTS[cache].items()
    }


def publish(output, tags=None, count=300, rows_per_part=100, sizes=None):
    """Publishes a version of both caches, and returns their folder.

    Args:
      output: the folder.
      tags: by cache.
      count: items of the catalog.
      rows_per_part: rows of each part, the last may have fewer.
      sizes: rows of each part instead.
    """
    for cache, tag in (tags or TAGS).items():
        folder, columns = CacheFolder(str(output), cache), rows(cache, (tags or TAGS)[cache], count)
        bounds = range(0, count, rows_per_part) if sizes is None else np.cumsum([0, *sizes[:-1]])
        ends = [*bounds[1:], count]
        parts = []
        for begin, end in zip(bounds, ends, strict=True):
            ids, own = ITEMS[begin:end], {name: one[begin:end] for name, one in columns.items()}
            data = cache_part.encode(cache, tag, ids, np.zeros(len(ids), np.int64), own)
            parts.append(cache_part.entry(data, len(ids)))
            path = output / cache / cache_parts.FOLDER / parts[-1]["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        described = {
            name: {"dtype": np.dtype(dtype).name, "shape": list(shape)}
            for name, (dtype, shape) in _OUTPUTS[cache].items()
        }
        version = {"cache": cache, "tag": tag, "items": count, "columns": described, "parts": parts}
        folder.publish(version)
    return output


def options(output, url, **values):
    return LoadOptions(str(output), url, **values)
