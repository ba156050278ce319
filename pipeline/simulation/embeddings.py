"""The modalities of a simulated marketplace, streamed as embedding sets."""

import numpy as np
import pyarrow as pa

from features.files import manifest
from pipeline.simulation.catalog import CONTENT, Items
from pipeline.simulation.parquet_parts import ParquetParts, file_hashes
from pipeline.simulation.settings import START, MarketplaceSettings

_ITEMS_PER_BATCH = 16_384
_ITEMS_PER_FILE = 262_144
_NOISE = 0.15
"""Per value; a value's signal has a standard deviation of one."""


def write_embeddings(
    folder: str, modality: str, settings: MarketplaceSettings, items: Items
) -> None:
    """Writes one modality into a new folder, as `embedding_set` reads it.

    Vectors are the content through a random linear map, the same for all items, plus noise. Items
    that appear during the simulated time have `available_at` then, others none.
    """
    number = list(settings.modalities).index(modality)
    width = settings.modalities[modality]
    map_rng = settings.generator("maps", number)
    through = map_rng.standard_normal((CONTENT, width), np.float32)
    schema = pa.schema(
        [
            ("item_id", pa.int64()),
            ("embedding", pa.list_(pa.float16(), width)),
            ("available_at", pa.int64()),
        ]
    )
    with ParquetParts(folder, schema, _ITEMS_PER_FILE) as parts:
        for batch, first in enumerate(range(0, settings.items, _ITEMS_PER_BATCH)):
            rng = settings.generator("embeddings", number, batch)
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
    values = {
        "encoder": f"simulated-{modality}",
        "version": str(settings.seed),
        "dimension": width,
        "count": parts.rows,
        "sha256": file_hashes(folder),
    }
    manifest.write_manifest(folder, values)
