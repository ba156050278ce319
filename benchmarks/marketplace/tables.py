"""The tables of a simulated marketplace: columns of the log and the side tables."""

import numpy as np
import pyarrow as pa

from benchmarks.marketplace import label_events
from benchmarks.marketplace.catalog import CATEGORIES, COUNTRIES, Items, Users
from benchmarks.marketplace.marketplace import BLOCK

_LABELS = ("click", "conversion")
_IMPRESSIONS = ("request_id", "user_id", "item_id", "timestamp", "position", "device")
_TRUTH = (
    "request_id",
    "item_id",
    *_LABELS,
    "click_probability",
    "conversion_probability",
    "similarity",
)


def log_schemas(inline: bool) -> dict[str, pa.Schema]:
    """Returns the schemas of the tables that grow with the log.

    Args:
      inline: whether impressions have labels; otherwise `clicks` and `conversions` are tables.
    """
    impressions = (*_IMPRESSIONS, *_LABELS) if inline else _IMPRESSIONS
    return {
        "impressions": pa.schema([BLOCK.field(name) for name in impressions]),
        **({} if inline else dict.fromkeys(("clicks", "conversions"), label_events.SCHEMA)),
        "truth": pa.schema([BLOCK.field(name) for name in _TRUTH]),
    }


def side_tables(items: Items, users: Users) -> dict[str, pa.Table]:
    """Returns the side features `items` and `users`, and the hidden properties `truth_items`.

    Args:
      items: the catalog; an id is its row plus one.
      users: likewise.
    """
    item_id = np.arange(len(items.price)) + 1
    categories = pa.array([f"category_{number:02d}" for number in range(CATEGORIES)])
    return {
        "items": pa.table(
            {
                "item_id": item_id,
                "category": categories.take(pa.array(items.category)),
                "price": items.price,
                "created_at": items.created_at,
            }
        ),
        "truth_items": pa.table({"item_id": item_id, "quality": items.quality, "gate": items.gate}),
        "users": pa.table(
            {
                "user_id": np.arange(len(users.age)) + 1,
                "country": pa.array(COUNTRIES).take(pa.array(users.country)),
                "age": users.age,
            }
        ),
    }
