"""All parts of a version in the making, checked as its readers will check them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from features.errors import UserInputError
from pipeline.catalog_backfill.cache_folder import RECOMPUTE, CacheFolder
from pipeline.catalog_backfill.cache_plan import Wanted
from serving_signatures.client import cache_parts


def check_parts(folder: CacheFolder, version: Mapping[str, Any], wanted: Wanted) -> None:
    """Checks that readers open a version, and find in it what is wanted.

    Args:
      folder: the cache.
      version: the version's manifest: `tag`, `columns`, `parts`.
      wanted: what it is to hold.

    Raises:
      DamagedPartError: a reader would refuse the part.
      UserInputError: the parts hold other items, or items of other vectors.
    """
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for part in version["parts"]:
        found.append(folder.read_ids(part, version["tag"]))
        cache_parts.check_footer(folder.path, part, version["tag"], version["columns"])
    item_ids, sources = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(item_ids, kind="stable")
    if not (
        np.array_equal(item_ids[order], wanted.item_ids)
        and np.array_equal(sources[order], wanted.sources)
    ):
        raise UserInputError(
            f"{folder.path!r}: the parts of the new version hold other items than the catalog, or "
            f"rows of other vectors. {RECOMPUTE}"
        )
