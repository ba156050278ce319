"""MicroLens: who commented on which micro-video when, and the videos' titles.

Either `*pairs.csv` (user, item, timestamp in milliseconds) or `*pairs.tsv`, one line a user: the
user, a tab, and the items with spaces between them, oldest first. The latter has no times: an
event's timestamp is then its position in the user's line, so that the order is right within a
user, gaps of time mean nothing, and only a split within each user makes sense.

Every pair is a positive, click = 1; the command that joins the result draws the negatives.
"""

import fnmatch
import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from features.errors import UserInputError
from pipeline.adapters.conversion import Adapter, Sources, Tables, listing
from pipeline.adapters.table import Table
from pipeline.adapters.text_rows import (
    TextRow,
    csv_rows,
    parse_int64,
    parse_text,
    separated_rows,
)

_EVENTS = pa.schema(
    [
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("timestamp", pa.int64()),
        ("click", pa.int8()),
    ]
)
_ITEMS = pa.schema([("item_id", pa.int64()), ("title", pa.string())])
_CLICK = 1
_NEGATIVES = "--negatives=popularity:4"


def _find_sources(folder: str) -> Sources:
    pairs = _matching(folder, "*pairs.csv") or _matching(folder, "*pairs.tsv")
    if not pairs:
        raise UserInputError(
            f"{folder!r} has no file *pairs.csv or *pairs.tsv. It holds {listing(folder)}. Give "
            "the folder that holds the files as they were published."
        )
    titles = _matching(folder, "*titles.csv") or _matching(folder, "*title_en.csv")
    return {"pairs": pairs, "titles": titles}


def _matching(folder: str, pattern: str) -> tuple[str, ...]:
    names = sorted(fnmatch.filter(os.listdir(folder), pattern))
    if len(names) > 1:
        raise UserInputError(
            f"{folder!r} has several files {pattern}: {', '.join(names)}. Leave one, since user "
            "and item ids mean different things in different releases."
        )
    return tuple(os.path.join(folder, name) for name in names)


def _convert(sources: Sources, tables: Tables) -> list[str]:
    events = tables.open("events", _EVENTS)
    (pairs,) = sources["pairs"]
    if pairs.endswith(".csv"):
        for row in csv_rows(pairs, ("user|userID", "item|videoID", "timestamp"), headerless=True):
            events.take(row, _timed_event)
        times = ["--timestamp_unit=ms"]
    else:
        for line in separated_rows(pairs, "\t", 2):
            _take_sequence(events, line)
        times = ["--timestamp_unit=s", "--split_by=user"]
    tables.close("events")
    if sources["titles"]:
        items = tables.open("items", _ITEMS)
        for row in csv_rows(sources["titles"][0], ("item|videoID", "title"), headerless=True):
            items.take(row, _item)
        tables.close("items")
    return [f"--events={tables.path('events')}", "--labels=click", _NEGATIVES, *times]


def _take_sequence(events: Table, line: TextRow) -> None:
    """Takes every event of a line; a line that cannot be read counts as one row."""
    if line.problem is not None:
        events.take(line, _positioned_event)
        return
    for row in _sequence(line):
        events.take(row, _positioned_event)


def _sequence(line: TextRow) -> Iterator[TextRow]:
    user, items = line.values
    for position, item in enumerate(items.split() or [""]):
        text = f"{user}\t{item} (position {position})"
        yield TextRow(line.file, line.line, text, (user, item, position))


def _timed_event(row: TextRow) -> tuple[Any, ...]:
    user, item, timestamp = row.values
    return (
        parse_int64(user, "user"),
        parse_int64(item, "item"),
        parse_int64(timestamp, "timestamp"),
        _CLICK,
    )


def _positioned_event(row: TextRow) -> tuple[Any, ...]:
    user, item, position = row.values
    return parse_int64(user, "user"), parse_int64(item, "item"), position, _CLICK


def _item(row: TextRow) -> tuple[Any, ...]:
    item, title = row.values
    return parse_int64(item, "item"), parse_text(title, "title")


ADAPTER = Adapter("microlens", _find_sources, _convert)
