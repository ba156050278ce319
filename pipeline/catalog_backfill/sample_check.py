"""A sample of a finished version, computed again by a model that is loaded again."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from features.errors import UserInputError
from pipeline.catalog_backfill import cache_part
from pipeline.catalog_backfill.backfill_inputs import CatalogVectors
from pipeline.catalog_backfill.cache_folder import RECOMPUTE, CacheFolder
from pipeline.catalog_backfill.projector import Projector
from serving_signatures import names
from serving_signatures.client import cache_parts
from serving_signatures.client.cache_parts import ITEM_ID

TOLERANCE = 1e-6
"""Largest difference of a value, or of a value by its size where that is above 1."""

_ROW_GROUPS = 32


def check_sample(
    folder: CacheFolder,
    values: Mapping[str, Any],
    projector: Projector,
    vectors: CatalogVectors,
    written: Collection[str],
    rows: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Compares a random sample of a version with what the model computes.

    Args:
      folder: the cache.
      values: the version's manifest in the making: `tag`, `parts`.
      projector: the model, loaded for this.
      vectors: the items' own.
      written: names of the parts that are new; half of the sample is of them, if that many are.
      rows: about how many to compare; they lie in at most 32 row groups.
      seed: of the sample.

    Returns:
      `dtype` and `shape` of each output.

    Raises:
      UserInputError: a row differs, or cannot be read; names part, item and output.
    """
    rng = np.random.default_rng(seed)
    groups = [
        (part, group)
        for part in values["parts"]
        for group in range(-(-part["rows"] // cache_part.ROW_GROUP))
    ]
    drawn = rng.permutation(len(groups)).tolist()
    # New parts have not been checked before.
    fresh = [index for index in drawn if groups[index][0]["file"] in written]
    chosen = list(dict.fromkeys([*fresh[: _ROW_GROUPS // 2], *drawn]))[:_ROW_GROUPS]
    columns = {}
    for index in sorted(chosen):
        part, group = groups[index]
        table = cache_parts.read_group(folder.path, part, group)
        take = np.sort(rng.permutation(len(table))[: -(-rows // len(chosen))])
        table = table.take(pa.array(take))
        item_ids = table[ITEM_ID].to_numpy()
        quantized = {}
        if folder.cache == names.TARGET_AWARE_PROJECTIONS:
            quantized = vectors.quantized(item_ids)
        expected = projector.compute(folder.cache, values["tag"], item_ids, quantized)
        _compare(part["file"], table, item_ids, expected)
        columns = {
            name: {"dtype": one.dtype.name, "shape": list(one.shape[1:])}
            for name, one in expected.items()
        }
    return columns


def _compare(
    file: str, table: pa.Table, item_ids: np.ndarray, expected: Mapping[str, np.ndarray]
) -> None:
    found = set(table.column_names) - {ITEM_ID, cache_part.SOURCE}
    if found != set(expected):
        raise UserInputError(
            f"{file} holds {sorted(found)}, the model gives {sorted(expected)}. {RECOMPUTE}"
        )
    for name, wanted in expected.items():
        received = cache_parts.flat_values(table[name]).reshape(wanted.shape)
        difference = np.abs(received.astype(np.float64) - wanted) / np.maximum(1, np.abs(wanted))
        worst = difference.reshape(len(item_ids), -1).max(axis=1)
        # A comparison with NaN is false, so NaN counts as wrong.
        wrong = np.flatnonzero(~(worst <= TOLERANCE))
        if len(wrong):
            raise UserInputError(
                f"{file}: {name} of item {item_ids[wrong[0]]} differs from the model's by "
                f"{worst[wrong[0]]:.1e}, so do {len(wrong)} of {len(item_ids)} sampled rows. "
                f"Nothing was published. {RECOMPUTE}"
            )
