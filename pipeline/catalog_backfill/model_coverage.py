"""Whether a catalog is the model's: its items are in the vocabulary and in the sets inside."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from features.ids import coverage, id_table
from pipeline.catalog_backfill.cache_folder import CacheFolder
from serving_signatures import names
from serving_signatures.client import cache_parts
from serving_signatures.client.cache_parts import ITEM_ID


def check_vocabulary(vocabulary: np.ndarray | None, item_ids: np.ndarray, least: float) -> None:
    """Logs which share of a catalog has a row of its own, and refuses a share near zero.

    Args:
      vocabulary: `[V]` int64, ascending; None for a model that hashes ids.
      item_ids: `[N]` int64, of the catalog.
      least: the least share, from 0 to 1.

    Raises:
      UserInputError: the share is below the least.
    """
    if vocabulary is not None:
        known = int(np.sum(id_table.positions(item_ids, vocabulary) < len(vocabulary)))
        things = "items of the catalog are in the model's vocabulary"
        coverage.check("--items", known, len(item_ids), things, least)


def check_vectors(
    folder: CacheFolder,
    version: Mapping[str, Any],
    modalities: Collection[str],
    least: float,
) -> None:
    """Logs which share of a catalog has a vector inside the model, and refuses one near zero.

    Args:
      folder: the cache of target-aware projections.
      version: the manifest of the version in the making.
      modalities: of the model.
      least: the least share, from 0 to 1.

    Raises:
      UserInputError: the share is below the least, or a part cannot be read.
    """
    found = dict.fromkeys(modalities, 0)
    for part in version["parts"]:
        norms = [names.norm(name) for name in modalities]
        table = cache_parts.read(folder.path, part, version["tag"], [ITEM_ID, *norms])
        for name in modalities:
            found[name] += int(np.sum(table[names.norm(name)].to_numpy() > 0))
    for name, count in found.items():
        things = "items of the catalog have a vector inside the model"
        coverage.check(f"Modality {name}", count, version["items"], things, least)
