"""MovieLens: `ratings.csv` and `movies.csv`, or the `::`-separated files of its older releases.

The join of the result has the label `liked`, a rating of 4 or more: a preference, not a click.
Data: F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context.
ACM TiiS 5, 4: 19.
"""

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipeline.adapters.conversion import Adapter, Sources, Tables, find_file
from pipeline.adapters.text_rows import (
    TextRow,
    csv_rows,
    parse_id,
    parse_int64,
    parse_number,
    parse_text,
    separated_rows,
)

_EVENTS = pa.schema(
    [
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("timestamp", pa.int64()),
        ("rating", pa.float32()),
    ]
)
_ITEMS = pa.schema(
    [
        ("item_id", pa.int64()),
        ("title", pa.string()),
        ("genres", pa.list_(pa.string())),
        ("year", pa.int64()),
    ]
)
_USERS = pa.schema(
    [
        ("user_id", pa.int64()),
        ("gender", pa.string()),
        ("age", pa.int64()),
        ("occupation", pa.int64()),
    ]
)
_RATING_COLUMNS = ("userId", "movieId", "rating", "timestamp")
_FILM_COLUMNS = ("movieId", "title", "genres")
_YEAR = re.compile(r"\(([0-9]{4})\)\s*$", re.ASCII)
_NO_GENRES = "(no genres listed)"


def _find_sources(folder: str) -> Sources:
    return {
        "ratings": find_file(folder, ("ratings.csv", "ratings.dat")),
        "films": find_file(folder, ("movies.csv", "movies.dat")),
        "users": find_file(folder, ("users.dat",), required=False),
    }


def _convert(sources: Sources, tables: Tables) -> list[str]:
    events = tables.open("events", _EVENTS)
    for row in _rows(sources["ratings"][0], _RATING_COLUMNS):
        events.take(row, _event)
    tables.close("events")
    items = tables.open("items", _ITEMS)
    for row in _rows(sources["films"][0], _FILM_COLUMNS):
        items.take(row, _item)
    tables.close("items")
    flags = [
        f"--events={tables.path('events')}",
        "--timestamp_unit=s",
        "--derive_label=liked = rating >= 4",
        "--behavior_rule=all",
        "--behavior_type=rating >= 4",
        f"--items={tables.path('items')}",
        "--item_features=genres,year",
    ]
    if sources["users"]:
        users = tables.open("users", _USERS)
        for row in separated_rows(sources["users"][0], "::", 5):
            users.take(row, _user)
        tables.close("users")
        flags += [f"--users={tables.path('users')}", "--user_features=gender,age,occupation"]
    return flags


def _rows(path: str, columns: tuple[str, ...]) -> Iterator[TextRow]:
    if path.endswith(".csv"):
        return csv_rows(path, columns)
    return separated_rows(path, "::", len(columns))


def _event(row: TextRow) -> tuple[Any, ...]:
    user, item, rating, timestamp = row.values
    return (
        parse_int64(user, "userId"),
        parse_int64(item, "movieId"),
        parse_int64(timestamp, "timestamp"),
        parse_number(rating, "rating", 0, 5),
    )


def _item(row: TextRow) -> tuple[Any, ...]:
    item, title, genres = row.values
    year = _YEAR.search(title)
    names = [] if genres == _NO_GENRES else [name for name in genres.split("|") if name]
    return (
        parse_int64(item, "movieId"),
        parse_text(title, "title"),
        names,
        int(year[1]) if year else None,
    )


def _user(row: TextRow) -> tuple[Any, ...]:
    user, gender, age, occupation, _ = row.values
    return (
        parse_int64(user, "UserID"),
        parse_id(gender, "Gender"),
        parse_int64(age, "Age"),
        parse_int64(occupation, "Occupation"),
    )


ADAPTER = Adapter("movielens", _find_sources, _convert)
