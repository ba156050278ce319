"""Amazon Reviews 2023: `<Category>.jsonl` and `meta_<Category>.jsonl`, plain or gzip.

An item is a `parent_asin`, so the variants of a product are one. Left out are values that were
not known when the review was written, and would give the answer away: its text and title, its
helpful votes, the product's average rating and number of ratings, all as of the crawl.
"""

import os
import re
from typing import Any

import pyarrow as pa

from features.errors import UserInputError
from pipeline.adapters.conversion import Adapter, Sources, Tables, listing
from pipeline.adapters.table import Table
from pipeline.adapters.text_rows import (
    BadRowError,
    TextRow,
    json_rows,
    parse_id,
    parse_int64,
    parse_number,
    parse_text,
)

_EVENTS = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("timestamp", pa.int64()),
        ("rating", pa.float32()),
        ("verified_purchase", pa.bool_()),
    ]
)
_ITEMS = pa.schema(
    [
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("main_category", pa.string()),
        ("categories", pa.list_(pa.string())),
        ("store", pa.string()),
        ("price", pa.float64()),
    ]
)
_ENDS = (".jsonl", ".jsonl.gz")
_META = "meta_"
_PRICE = re.compile(r"\$?\s*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(\.[0-9]+)?", re.ASCII)


def _find_sources(folder: str) -> Sources:
    names = sorted(name for name in os.listdir(folder) if name.endswith(_ENDS))
    reviews = tuple(name for name in names if not name.startswith(_META))
    meta = tuple(name for name in names if name.startswith(_META))
    if not reviews:
        raise UserInputError(
            f"{folder!r} has no file of reviews, <Category>.jsonl or <Category>.jsonl.gz. It holds "
            f"{listing(folder)}. Give the folder that holds the files as they were published."
        )
    stems = [name.removesuffix(".gz") for name in names]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise UserInputError(
            f"{folder!r} has {twice[0]} plain and as gzip. Leave one, or its rows count twice."
        )
    return {
        role: tuple(os.path.join(folder, name) for name in found)
        for role, found in (("reviews", reviews), ("meta", meta))
    }


def _convert(sources: Sources, tables: Tables) -> list[str]:
    events = tables.open("events", _EVENTS)
    for path in sources["reviews"]:
        for row in json_rows(path):
            events.take(row, _event)
    tables.close("events")
    flags = [
        f"--events={tables.path('events')}",
        "--timestamp_unit=ms",
        "--derive_label=liked = rating >= 4",
        "--behavior_rule=all",
        "--behavior_type=rating >= 4",
    ]
    if sources["meta"]:
        items = tables.open("items", _ITEMS)
        for path in sources["meta"]:
            for row in json_rows(path):
                items.take(row, lambda row: _item(row, items))
        tables.close("items")
        features = "main_category,categories,store,price"
        flags += [f"--items={tables.path('items')}", f"--item_features={features}"]
    return flags


def _event(row: TextRow) -> tuple[Any, ...]:
    review = row.values
    verified = review.get("verified_purchase")
    if verified is not None and not isinstance(verified, bool):
        raise BadRowError(f"verified_purchase is {verified!r}, expected true or false")
    return (
        parse_id(review.get("user_id"), "user_id"),
        parse_id(review.get("parent_asin"), "parent_asin"),
        parse_int64(review.get("timestamp"), "timestamp"),
        parse_number(review.get("rating"), "rating", 0, 5),
        verified,
    )


def _item(row: TextRow, items: Table) -> tuple[Any, ...]:
    product = row.values
    item = parse_id(product.get("parent_asin"), "parent_asin")
    texts = [parse_text(product.get(name), name) for name in ("title", "main_category", "store")]
    categories = product.get("categories") or []
    if not isinstance(categories, list):
        raise BadRowError(f"categories is {categories!r}, expected a list of texts")
    categories = [parse_id(one, "categories") for one in categories]
    price = _price(product.get("price"))
    if price is None and product.get("price") is not None:
        items.emptied["price"] += 1
    title, main_category, store = texts
    return item, title, main_category, categories, store, price


def _price(value: Any) -> float | None:
    """Returns a price, None where it is no single number ("from 12.99", a dash, null)."""
    if isinstance(value, str) and (found := _PRICE.fullmatch(value.strip())):
        return float(found[1].replace(",", "") + (found[2] or ""))
    is_number = type(value) in (int, float) and 0 <= value < float("inf")
    return float(value) if is_number else None


ADAPTER = Adapter("amazon_reviews", _find_sources, _convert)
