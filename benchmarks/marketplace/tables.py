"""A simulated marketplace as Arrow tables: schemas and columns."""

import os
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.marketplace import label_events
from benchmarks.marketplace.catalog import CATEGORIES, COUNTRIES, Items, Users
from benchmarks.marketplace.marketplace import DEVICES, Impressions

_ROWS_A_BATCH = 262_144

_IMPRESSIONS = pa.schema(
    {
        "request_id": pa.int64(),
        "user_id": pa.int64(),
        "item_id": pa.int64(),
        "timestamp": pa.int64(),
        "position": pa.int32(),
        "device": pa.string(),
    }
)
_LABELS = pa.schema({"click": pa.int8(), "conversion": pa.int8()})
_TRUTH = pa.schema(
    {
        "request_id": pa.int64(),
        "item_id": pa.int64(),
        "click": pa.int8(),
        "conversion": pa.int8(),
        "click_probability": pa.float32(),
        "conversion_probability": pa.float32(),
        "similarity": pa.float32(),
    }
)


def log_schemas(inline: bool) -> dict[str, pa.Schema]:
    """Returns the schemas of the tables that grow with the log.

    Args:
      inline: whether impressions have labels.
    """
    if inline:
        return {"impressions": pa.unify_schemas([_IMPRESSIONS, _LABELS]), "truth": _TRUTH}
    return {
        "impressions": _IMPRESSIONS,
        "clicks": label_events.SCHEMA,
        "conversions": label_events.SCHEMA,
        "truth": _TRUTH,
    }


def impressions(block: Impressions, inline: bool) -> pa.Table:
    """Returns a block's impressions, with labels if inline."""
    columns = [
        pa.array(block.request),
        pa.array(block.user + 1),
        pa.array(block.item + 1),
        pa.array(block.time),
        pa.array(block.position),
        _texts(block.device, DEVICES),
    ]
    if inline:
        columns += [
            pa.array(block.click.astype(np.int8)),
            pa.array(block.conversion.astype(np.int8)),
        ]
    return pa.Table.from_arrays(columns, schema=log_schemas(inline)["impressions"])


def truth(block: Impressions) -> pa.Table:
    """Returns what is true of a block's impressions."""
    columns = [
        pa.array(block.request),
        pa.array(block.item + 1),
        pa.array(block.click.astype(np.int8)),
        pa.array(block.conversion.astype(np.int8)),
        pa.array(block.click_probability),
        pa.array(block.conversion_probability),
        pa.array(block.similarity),
    ]
    return pa.Table.from_arrays(columns, schema=_TRUTH)


def items(catalog: Items) -> Iterator[pa.Table]:
    """Yields the items' side features: item_id, category, price, created_at (ms)."""
    names = tuple(f"category_{number:02d}" for number in range(CATEGORIES))
    for part in _slices(len(catalog.category)):
        yield pa.table(
            {
                "item_id": pa.array(np.arange(part.start, part.stop) + 1),
                "category": _texts(catalog.category[part], names),
                "price": pa.array(catalog.price[part]),
                "created_at": pa.array(catalog.created_at[part]),
            }
        )


def truth_items(catalog: Items) -> Iterator[pa.Table]:
    """Yields what only the id tells of an item: item_id, quality, gate."""
    for part in _slices(len(catalog.category)):
        yield pa.table(
            {
                "item_id": pa.array(np.arange(part.start, part.stop) + 1),
                "quality": pa.array(catalog.quality[part]),
                "gate": pa.array(catalog.gate[part]),
            }
        )


def users(everyone: Users) -> Iterator[pa.Table]:
    """Yields the users' side features: user_id, country, age."""
    for part in _slices(len(everyone.age)):
        yield pa.table(
            {
                "user_id": pa.array(np.arange(part.start, part.stop) + 1),
                "country": _texts(everyone.country[part], COUNTRIES),
                "age": pa.array(everyone.age[part]),
            }
        )


def write_file(path: str, batches: Iterable[pa.Table]) -> int:
    """Writes one Parquet file, folder included, and returns its number of rows.

    Args:
      path: of the file.
      batches: at least one, all of one schema.
    """
    os.makedirs(os.path.dirname(path))
    rows = 0
    writer: pq.ParquetWriter | None = None
    for batch in batches:
        writer = writer or pq.ParquetWriter(path, batch.schema)
        writer.write_table(batch)
        rows += len(batch)
    if writer is None:
        raise ValueError(f"There is no batch to write to {path!r}.")
    writer.close()
    return rows


def _slices(count: int) -> Iterator[slice]:
    for first in range(0, count, _ROWS_A_BATCH):
        yield slice(first, min(first + _ROWS_A_BATCH, count))


def _texts(codes: np.ndarray, names: tuple[str, ...]) -> pa.Array:
    return pa.array(names).take(pa.array(codes))
