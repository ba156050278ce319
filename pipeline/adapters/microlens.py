"""MicroLens: who commented on which micro-video when, and the videos' titles.

Either `*pairs.csv` (user, item, timestamp in milliseconds) or `*pairs.tsv`, one line per user: the
user, a tab, and the items with spaces between them, oldest first. `*pairs.tsv` has no times: the
timestamp of an event is its position in the user's line. Order within a user is right, gaps of
time mean nothing, and only a split within each user makes sense.

Every pair is a positive, click = 1; the command that joins the result draws the negatives.
"""

from collections.abc import Iterator

import pyarrow as pa

from pipeline.adapters.converter import Adapter, Sources, Tables, find_file
from pipeline.adapters.text_rows import (
    Column,
    TextRow,
    csv_rows,
    parse_int64,
    parse_text,
    separated_rows,
)

_PAIR_FIELDS = ("user", "item", "timestamp")
_TITLE_FIELDS = ("item", "title")
_EVENTS = (
    Column("user_id", pa.int64(), "user", parse_int64),
    Column("item_id", pa.int64(), "item", parse_int64),
    Column("timestamp", pa.int64(), "timestamp", parse_int64),
    Column("click", pa.int8(), "", lambda value, name: 1),
)
_ITEMS = (
    Column("item_id", pa.int64(), "item", parse_int64),
    Column("title", pa.string(), "title", parse_text),
)


def _find_sources(folder: str) -> Sources:
    return {
        "pairs": find_file(folder, ("*pairs.csv", "*pairs.tsv")),
        "titles": find_file(folder, ("*titles.csv", "*title_en.csv"), required=False),
    }


def _convert(sources: Sources, tables: Tables) -> list[str]:
    (pairs,) = sources["pairs"]
    if pairs.endswith(".csv"):
        rows = csv_rows(pairs, ("user|userID", "item|videoID", "timestamp"), headerless=True)
        times = ["--timestamp_unit=ms"]
    else:
        rows = _positioned_pairs(pairs)
        times = ["--timestamp_unit=s", "--split_by=user"]
    tables.write("events", _EVENTS, rows, _PAIR_FIELDS)
    for path in sources["titles"]:
        titles = csv_rows(path, ("item|videoID", "title"), headerless=True)
        tables.write("items", _ITEMS, titles, _TITLE_FIELDS)
    events = f"--events={tables.path('events')}"
    return [events, "--labels=click", "--negatives=popularity:4", *times]


def _positioned_pairs(path: str) -> Iterator[TextRow]:
    """Yields one row per event of a line; a line that cannot be read counts as one row."""
    for line in separated_rows(path, "\t", 2):
        if line.problem is not None:
            yield line
            continue
        user, items = line.values
        for position, item in enumerate(items.split() or [""]):
            text = f"{user}\t{item} (position {position})"
            yield TextRow(line.file, line.line, text, (user, item, position))


ADAPTER = Adapter("microlens", _find_sources, _convert)
