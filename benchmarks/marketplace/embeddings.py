"""The modalities of a simulated marketplace, streamed as embedding sets."""

import os

import numpy as np
import pyarrow as pa

from benchmarks.marketplace import random_streams
from benchmarks.marketplace.catalog import CONTENT, Items
from benchmarks.marketplace.parquet_parts import ParquetParts
from benchmarks.marketplace.settings import START, MarketplaceSettings
from features.files import manifest

_ITEMS_PER_BATCH = 16_384
_ITEMS_PER_FILE = 262_144
_NOISE = 0.15
"""Per value; a value's signal has a standard deviation of one."""


def write_embeddings(
    folder: str, modality: str, settings: MarketplaceSettings, items: Items
) -> None:
    """Writes one modality, as `embedding_set` reads it: content seen through a map.

    The map is linear, random and the same for all items; noise is added to each value. Items
    that appear during the simulated time have `available_at` then, others none.

    Args:
      folder: created; must not exist.
      modality: one of the settings'.
      settings: of the simulation.
      items: the catalog.
    """
    number = list(settings.modalities).index(modality)
    width = settings.modalities[modality]
    through = random_streams.generator(settings.seed, "maps", number).standard_normal(
        (CONTENT, width), np.float32
    )
    schema = pa.schema(
        {
            "item_id": pa.int64(),
            "embedding": pa.list_(pa.float16(), width),
            "available_at": pa.int64(),
        }
    )
    with ParquetParts(folder, schema, _ITEMS_PER_FILE) as parts:
        for batch, first in enumerate(range(0, settings.items, _ITEMS_PER_BATCH)):
            rng = random_streams.generator(settings.seed, "embeddings", number, batch)
            rows = np.arange(first, min(first + _ITEMS_PER_BATCH, settings.items))
            rows = rows[rng.random(len(rows)) >= settings.missing_embeddings]
            vectors = items.content[rows] @ through
            vectors += np.float32(_NOISE) * rng.standard_normal(vectors.shape, np.float32)
            flat = pa.array(vectors.astype(np.float16).reshape(-1))
            created = items.created_at[rows]
            columns = [
                pa.array(rows + 1),
                pa.FixedSizeListArray.from_arrays(flat, width),
                pa.array(created * 1000, mask=created < START),
            ]
            parts.write(pa.Table.from_arrays(columns, schema=schema))
    manifest.write_manifest(
        folder,
        {
            "encoder": f"simulated-{modality}",
            "version": str(settings.seed),
            "dimension": width,
            "count": parts.rows,
            "sha256": {
                name: manifest.file_sha256(os.path.join(folder, name))
                for name in sorted(os.listdir(folder))
            },
        },
    )
