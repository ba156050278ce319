"""A simulated marketplace as Arrow tables: schemas and columns. An id is its row plus one."""

from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.marketplace import label_events
from benchmarks.marketplace.catalog import CATEGORIES, COUNTRIES, Items, Users
from benchmarks.marketplace.marketplace import DEVICES, Impressions

_LABELS = ("click", "conversion")
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
        labels = pa.schema(dict.fromkeys(_LABELS, pa.int8()))
        return {"impressions": pa.unify_schemas([_IMPRESSIONS, labels]), "truth": _TRUTH}
    return {
        "impressions": _IMPRESSIONS,
        "clicks": label_events.SCHEMA,
        "conversions": label_events.SCHEMA,
        "truth": _TRUTH,
    }


def impressions(block: Impressions, inline: bool) -> pa.Table:
    """Returns a block's impressions, with labels if inline."""
    columns = {
        "request_id": block.request,
        "user_id": block.user + 1,
        "item_id": block.item + 1,
        "timestamp": block.time,
        "position": block.position,
        "device": _texts(block.device, DEVICES),
        **(_labels(block) if inline else {}),
    }
    return pa.table(columns, schema=log_schemas(inline)["impressions"])


def truth(block: Impressions) -> pa.Table:
    """Returns the probabilities behind a block's impressions."""
    columns = {
        "request_id": block.request,
        "item_id": block.item + 1,
        **_labels(block),
        "click_probability": block.click_probability,
        "conversion_probability": block.conversion_probability,
        "similarity": block.similarity,
    }
    return pa.table(columns, schema=_TRUTH)


def items(catalog: Items) -> pa.Table:
    """Returns the items' side features: item_id, category, price, created_at (ms)."""
    names = tuple(f"category_{number:02d}" for number in range(CATEGORIES))
    return pa.table(
        {
            "item_id": np.arange(len(catalog.price)) + 1,
            "category": _texts(catalog.category, names),
            "price": catalog.price,
            "created_at": catalog.created_at,
        }
    )


def truth_items(catalog: Items) -> pa.Table:
    """Returns the properties that only an item's id reveals: item_id, quality, gate."""
    item_id = np.arange(len(catalog.quality)) + 1
    return pa.table({"item_id": item_id, "quality": catalog.quality, "gate": catalog.gate})


def users(everyone: Users) -> pa.Table:
    """Returns the users' side features: user_id, country, age."""
    return pa.table(
        {
            "user_id": np.arange(len(everyone.age)) + 1,
            "country": _texts(everyone.country, COUNTRIES),
            "age": everyone.age,
        }
    )


def _labels(block: Impressions) -> dict[str, Any]:
    return {name: getattr(block, name).astype(np.int8) for name in _LABELS}


def _texts(codes: np.ndarray, names: tuple[str, ...]) -> pa.Array:
    return pa.array(names).take(pa.array(codes))
