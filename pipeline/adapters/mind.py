"""MIND: impressions of Microsoft News with their candidates, given histories, and the news.

Each split is a folder with `behaviors.tsv` and `news.tsv`, whose name ends in `train`, `dev` (also
`valid`, `validation`) or `test`: `train/`, `MINDsmall_dev/`. An impression is a request, and each
of its news a candidate.

Times have no zone and are taken as UTC. A row's history is what the user clicked before the split's
weeks; it is the same in all rows of a user and does not grow, so it is given once, and the join
adds the clicks of the log. Where a user's histories differ between splits, each split has its own.
A test split without labels, as it was published, is left out.
"""

import datetime
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from features.errors import UserInputError
from pipeline.adapters.converter import (
    Adapter,
    Sources,
    Tables,
    find_file,
    missing,
    whole_requests,
)
from pipeline.adapters.text_rows import (
    BadRowError,
    Column,
    TextRow,
    parse_id,
    parse_text,
    separated_rows,
)
from pipeline.adapters.untimed_histories import UntimedHistories

_SPLITS = ("train", "validation", "test")
_NAMES = {"dev": "validation", "valid": "validation"}
_FOLDER = re.compile(r"(.*?)[_-]?(train|dev|valid|validation|test)", re.IGNORECASE)
_BEHAVIORS = ("behaviors.tsv", "behaviors.tsv.gz")
_NEWS = ("news.tsv", "news.tsv.gz")
_TIME = re.compile(r"(\d\d?)/(\d\d?)/(\d{4}) (\d\d?):(\d\d):(\d\d) (AM|PM)", re.ASCII)
_LABELS = {"-0": 0, "-1": 1}
_EPOCH = datetime.datetime(1970, 1, 1)
_ROWS_TO_FIND_LABELS = 100

_TEXT = pa.string()
_EVENTS = pa.schema(
    {
        "request_id": _TEXT,
        "user_id": _TEXT,
        "item_id": _TEXT,
        "timestamp": pa.int64(),
        "click": pa.int8(),
        "split": _TEXT,
    }
)
_HISTORIES = pa.schema({"user_id": _TEXT, "item_id": pa.list_(_TEXT), "split": _TEXT})
_NEWS_FIELDS = (
    "news_id",
    "category",
    "subcategory",
    "title",
    "abstract",
    "url",
    "title_entities",
    "abstract_entities",
)


def _entities(value: str, name: str) -> list[str] | None:
    """Returns the entities' Wikidata ids, None where they cannot be read."""
    del name
    try:
        return [str(one["WikidataId"]) for one in json.loads(value or "[]")]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


_ITEMS = (
    Column("item_id", _TEXT, "news_id", parse_id),
    Column("category", _TEXT, "category", parse_text),
    Column("subcategory", _TEXT, "subcategory", parse_text),
    Column("title", _TEXT, "title", parse_text),
    Column("abstract", _TEXT, "abstract", parse_text),
    Column("title_entities", pa.list_(_TEXT), "title_entities", _entities, lenient=True),
    Column("abstract_entities", pa.list_(_TEXT), "abstract_entities", _entities, lenient=True),
)


def _find_sources(folder: str) -> Sources:
    found: dict[str, str] = {}
    releases = set()
    for name in sorted(os.listdir(folder)):
        inside = os.path.join(folder, name)
        if not os.path.isdir(inside) or not find_file(inside, _BEHAVIORS, required=False):
            continue
        match = _FOLDER.fullmatch(name)
        if match is None:
            raise UserInputError(
                f"{inside!r} holds behaviors.tsv, but no split ends its name. Expected a name that "
                "ends in train, dev, valid, validation or test: rename the folder, or move it away."
            )
        split = _NAMES.get(match[2].lower(), match[2].lower())
        releases.add(match[1].lower())
        if split in found or len(releases) > 1:
            raise UserInputError(
                f"{folder!r} has {', '.join([*found.values(), name])}: splits of several releases. "
                "Leave one folder per split, all of one release, since one user may be in several."
            )
        found[split] = name
    if "train" not in found:
        raise missing(folder, "folder train, or one such as MINDsmall_train, with behaviors.tsv")
    sources = {}
    for split, name in found.items():
        sources[f"{split}_behaviors"] = find_file(os.path.join(folder, name), _BEHAVIORS)
        sources[f"{split}_news"] = find_file(os.path.join(folder, name), _NEWS)
    return sources


def _convert(sources: Sources, tables: Tables) -> list[str]:
    histories = UntimedHistories()
    events = tables.open("events", _EVENTS)
    for split in _SPLITS:
        for path in sources.get(f"{split}_behaviors", ()):
            if split == "test" and not _has_labels(path):
                tables.notes.append(
                    f"{path} says of no impression what was clicked, so it is left out: there is "
                    "no test split. Evaluate with --split validation."
                )
                continue

            def candidates(row: TextRow, split: str = split) -> list[tuple[Any, ...]]:
                return _candidates(row, split, histories)

            for row in separated_rows(path, "\t", 5, fall_back=None):
                events.take_several(row, candidates)
    tables.close("events")
    _write_histories(histories, tables)
    tables.write("items", _ITEMS, _news(sources), _NEWS_FIELDS, unique=True)
    items = tables.path("items")
    tables.notes += [
        "The times of MIND have no zone: they are taken as UTC.",
        f"MIND has no vectors. Make an embedding set of the titles in {items}, as in 'Public "
        "data sets' of docs/join.md, and add --embeddings=titles=FILE to the command.",
    ]
    features = "category,subcategory,title_entities:categorical:8,abstract_entities:categorical:8"
    return [
        f"--events={tables.path('events')}",
        "--timestamp_unit=s",
        "--labels=click",
        "--split_column=split",
        "--behavior_rule=click == 1",
        f"--histories={tables.path('histories')}",
        f"--items={items}",
        f"--item_features={features}",
        *whole_requests(events.largest),
    ]


def _candidates(row: TextRow, split: str, histories: UntimedHistories) -> list[tuple[Any, ...]]:
    """Returns the candidates of an impression, and takes its history."""
    impression, user, time, history, impressions = row.values
    # Each file counts its impressions from 1.
    request = f"{split}-{parse_id(impression, 'impression id')}"
    user = parse_id(user, "user id")
    moment = _seconds(time)
    pairs = [(token[:-2], _LABELS.get(token[-2:])) for token in impressions.split()]
    if not pairs:
        raise BadRowError("impressions is empty")
    for item, label in pairs:
        if label is None or not item:
            raise BadRowError(
                f"impressions is {impressions[:80]!r}, expected news ids that end in -0 or -1, "
                "such as N55689-1"
            )
    first = histories.add(user, split, " ".join(history.split()), row.line)
    if first is not None:
        raise BadRowError(
            f"history differs from that of the same user in line {first}, expected one per split"
        )
    return [(request, user, item, moment, label, split) for item, label in pairs]


def _seconds(text: str) -> int:
    """Returns seconds since 1970 of a time such as `11/15/2019 10:22:32 AM`."""
    found = _TIME.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        month, day, year, hour, minute, second = (int(found[part]) for part in range(1, 7))
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if found[7] == "PM" else 0)
        moment = datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:
        raise BadRowError(
            f"time is {text!r}, expected a time such as 11/15/2019 10:22:32 AM"
        ) from None
    return int((moment - _EPOCH).total_seconds())


def _has_labels(path: str) -> bool:
    rows = separated_rows(path, "\t", 5, fall_back=None)
    for _, row in zip(range(_ROWS_TO_FIND_LABELS), rows, strict=False):
        if row.problem is None and any(one[-2:] in _LABELS for one in row.values[4].split()):
            return True
    return False


def _write_histories(histories: UntimedHistories, tables: Tables) -> None:
    differing = histories.differing_users()
    schema = _HISTORIES if differing else pa.schema(list(_HISTORIES)[:2])
    if differing:
        tables.notes.append(
            f"{differing:,} users have another history in another split, so histories are given "
            "per split, and clicks of one split are no behaviors in another."
        )
    table = tables.open("histories", schema)
    for user, split, history, line in histories.rows(by_split=bool(differing)):
        values = (user, history.split(), split)[: len(schema)]
        table.take(TextRow("", line, "", values), lambda row: row.values)
    tables.close("histories")


def _news(sources: Sources) -> Iterator[TextRow]:
    for split in _SPLITS:
        for path in sources.get(f"{split}_news", ()):
            yield from separated_rows(path, "\t", len(_NEWS_FIELDS), fall_back=None)


ADAPTER = Adapter("mind", _find_sources, _convert)
