"""MovieLens: `ratings.csv` and `movies.csv`, or the `::`-separated files of its older releases.

The join of the result has the label `liked`, a rating of 4 or more: a preference, not a click.
Data: F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context.
ACM TiiS 5, 4: 19.
"""

import re
from collections.abc import Iterator

import pyarrow as pa

from pipeline.adapters.converter import Adapter, Sources, Tables, find_file
from pipeline.adapters.text_rows import (
    Column,
    TextRow,
    csv_rows,
    parse_id,
    parse_int64,
    parse_rating,
    parse_text,
    separated_rows,
)

_YEAR = re.compile(r"\(([0-9]{4})\)\s*$", re.ASCII)
_NO_GENRES = "(no genres listed)"


def _genres(value: str, name: str) -> list[str]:
    del name
    return [] if value == _NO_GENRES else [genre for genre in value.split("|") if genre]


def _year(title: str, name: str) -> int | None:
    del name
    year = _YEAR.search(title)
    return int(year[1]) if year else None


_RATING_FIELDS = ("userId", "movieId", "rating", "timestamp")
_FILM_FIELDS = ("movieId", "title", "genres")
_USER_FIELDS = ("UserID", "Gender", "Age", "Occupation", "Zip-code")
_EVENTS = (
    Column("user_id", pa.int64(), "userId", parse_int64),
    Column("item_id", pa.int64(), "movieId", parse_int64),
    Column("timestamp", pa.int64(), "timestamp", parse_int64),
    Column("rating", pa.float32(), "rating", parse_rating),
)
_ITEMS = (
    Column("item_id", pa.int64(), "movieId", parse_int64),
    Column("title", pa.string(), "title", parse_text),
    Column("genres", pa.list_(pa.string()), "genres", _genres),
    Column("year", pa.int64(), "title", _year),
)
_USERS = (
    Column("user_id", pa.int64(), "UserID", parse_int64),
    Column("gender", pa.string(), "Gender", parse_id),
    Column("age", pa.int64(), "Age", parse_int64),
    Column("occupation", pa.int64(), "Occupation", parse_int64),
)


def _find_sources(folder: str) -> Sources:
    return {
        "ratings": find_file(folder, ("ratings.csv", "ratings.dat")),
        "films": find_file(folder, ("movies.csv", "movies.dat")),
        "users": find_file(folder, ("users.dat",), required=False),
    }


def _convert(sources: Sources, tables: Tables) -> list[str]:
    ratings, films = sources["ratings"][0], sources["films"][0]
    tables.write("events", _EVENTS, _rows(ratings, _RATING_FIELDS), _RATING_FIELDS)
    tables.write("items", _ITEMS, _rows(films, _FILM_FIELDS), _FILM_FIELDS)
    flags = [
        f"--events={tables.path('events')}",
        "--timestamp_unit=s",
        "--derive_label=liked = rating >= 4",
        "--behavior_rule=all",
        "--behavior_type=rating >= 4",
        f"--items={tables.path('items')}",
        "--item_features=genres,year",
    ]
    for path in sources["users"]:
        tables.write("users", _USERS, _rows(path, _USER_FIELDS), _USER_FIELDS)
        flags += [f"--users={tables.path('users')}", "--user_features=gender,age,occupation"]
    return flags


def _rows(path: str, fields: tuple[str, ...]) -> Iterator[TextRow]:
    if path.endswith(".csv"):
        return csv_rows(path, fields)
    return separated_rows(path, "::", len(fields))


ADAPTER = Adapter("movielens", _find_sources, _convert)
