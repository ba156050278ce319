"""Amazon Reviews 2023: `<Category>.jsonl` and `meta_<Category>.jsonl`, plain or gzip.

An item is a `parent_asin`, so the variants of a product are one item. Values that were not known
when the review was written would leak the label and are left out: its text and title, its helpful
votes, the product's average rating and number of ratings, all as of the crawl.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from features.errors import UserInputError
from pipeline.adapters.converter import Adapter, Sources, Tables, missing
from pipeline.adapters.text_rows import (
    BadRowError,
    Column,
    TextRow,
    json_rows,
    parse_id,
    parse_int64,
    parse_rating,
    parse_text,
)

_ENDS = (".jsonl", ".jsonl.gz")
_META = "meta_"
_PRICE = re.compile(r"\$?\s*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(\.[0-9]+)?", re.ASCII)


def _flag(value: Any, name: str) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise BadRowError(f"{name} is {value!r}, expected true or false")
    return value


def _texts(value: Any, name: str) -> list[str]:
    if not isinstance(value or [], list):
        raise BadRowError(f"{name} is {value!r}, expected a list of texts")
    return [parse_id(one, name) for one in value or []]


def _price(value: Any, name: str) -> float | None:
    """Returns a price, None where it is no single number ("from 12.99", a dash, null)."""
    del name
    if isinstance(value, str) and (found := _PRICE.fullmatch(value.strip())):
        return float(found[1].replace(",", "") + (found[2] or ""))
    is_number = type(value) in (int, float) and 0 <= value < float("inf")
    return float(value) if is_number else None


_EVENTS = (
    Column("user_id", pa.string(), "user_id", parse_id),
    Column("item_id", pa.string(), "parent_asin", parse_id),
    Column("timestamp", pa.int64(), "timestamp", parse_int64),
    Column("rating", pa.float32(), "rating", parse_rating),
    Column("verified_purchase", pa.bool_(), "verified_purchase", _flag, order=-1),
)
_ITEMS = (
    Column("item_id", pa.string(), "parent_asin", parse_id),
    Column("title", pa.string(), "title", parse_text),
    Column("main_category", pa.string(), "main_category", parse_text),
    Column("categories", pa.list_(pa.string()), "categories", _texts, order=1),
    Column("store", pa.string(), "store", parse_text),
    Column("price", pa.float64(), "price", _price, lenient=True),
)


def _find_sources(folder: str) -> Sources:
    names = sorted(name for name in os.listdir(folder) if name.endswith(_ENDS))
    paths = {name: os.path.join(folder, name) for name in names}
    reviews = tuple(path for name, path in paths.items() if not name.startswith(_META))
    meta = tuple(path for name, path in paths.items() if name.startswith(_META))
    if not reviews:
        raise missing(folder, "file of reviews, <Category>.jsonl or <Category>.jsonl.gz")
    stems = [name.removesuffix(".gz") for name in names]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise UserInputError(
            f"{folder!r} has {twice[0]} plain and as gzip. Leave one, or its rows count twice."
        )
    return {"reviews": reviews, "meta": meta}


def _convert(sources: Sources, tables: Tables) -> list[str]:
    tables.write("events", _EVENTS, _rows(sources["reviews"]))
    flags = [
        f"--events={tables.path('events')}",
        "--timestamp_unit=ms",
        "--derive_label=liked = rating >= 4",
        "--behavior_rule=all",
        "--behavior_type=rating >= 4",
    ]
    if sources["meta"]:
        tables.write("items", _ITEMS, _rows(sources["meta"]))
        features = "main_category,categories,store,price"
        flags += [f"--items={tables.path('items')}", f"--item_features={features}"]
    return flags


def _rows(paths: tuple[str, ...]) -> Iterator[TextRow]:
    for path in paths:
        yield from json_rows(path)


ADAPTER = Adapter("amazon_reviews", _find_sources, _convert)
