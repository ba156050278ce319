"""Random tables as others might write them: types, names, formats and layouts, for hypothesis."""

import csv
import datetime
import decimal
import json
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
from hypothesis import strategies as st

from features.ids import hashing

ROWS, USERS, ITEMS = 24, 4, 6
BEGIN = 1_777_593_600


def rows():
    """Returns a log in which no two events share an instant."""
    random = np.random.default_rng(1)
    return [
        {
            "user_id": int(random.integers(USERS)),
            "item_id": int(random.integers(ITEMS)),
            "timestamp": BEGIN + 3_600 * number,
            "click": int(random.integers(2)),
            "price": int(random.integers(1, 9)),
        }
        for number in range(ROWS)
    ]


def item_rows():
    """Returns items with a feature of each form."""
    return [
        {"item_id": number, "brand": number % 3, "price": number, "tags": [number, number % 2]}
        for number in range(ROWS)
    ]


def text_of(number):
    return str(uuid.UUID(int=7_000 + number))


def ids_of(numbers, is_text):
    """Returns the int64 ids of numbers, or of their texts."""
    texts = np.array([text_of(number) for number in numbers], object)
    return hashing.fingerprint_strings(texts) if is_text else np.array(numbers)


def _decimals(values, kind):
    return pa.array([value and decimal.Decimal(value) for value in values], kind)


def _times(kind):
    def make(values):
        moments = [datetime.datetime.fromtimestamp(value, datetime.UTC) for value in values]
        return (
            pa.array([moment.replace(tzinfo=None) for moment in moments], pa.timestamp("us"))
            .cast(pa.timestamp(kind.unit))
            .cast(kind)
        )

    return make


def _iso(values):
    moments = [datetime.datetime.fromtimestamp(value, datetime.UTC) for value in values]
    return pa.array([moment.isoformat() for moment in moments])


def _plain(kind):
    return lambda values: pa.array(values, kind)


def _texts(kind):
    return lambda values: pa.array([text_of(value) for value in values]).cast(kind)


# By column: groups of types whose values are the same, and types that cannot be read.
INTEGERS = {
    **{str(kind): _plain(kind) for kind in (pa.int8(), pa.int32(), pa.int64(), pa.uint64())},
    "decimal": lambda values: _decimals(values, pa.decimal128(20, 0)),
    "int_dictionary": lambda values: pa.array(values).dictionary_encode(),
}
TEXTS = {
    **{str(kind): _texts(kind) for kind in (pa.string(), pa.large_string(), pa.string_view())},
    "binary": _texts(pa.binary()),
    "dictionary": lambda values: _texts(pa.string())(values).dictionary_encode(),
    "uuid": lambda values: pa.array(
        [uuid.UUID(text_of(value)).bytes for value in values], pa.uuid()
    ),
}
NO_IDS = {
    "double": _plain(pa.float64()),
    "list": lambda values: pa.array([[value] for value in values]),
    "struct": lambda values: pa.array([{"a": value} for value in values]),
    "bool": lambda values: pa.array([value > 1 for value in values]),
}
SECONDS = {"int64": _plain(pa.int64()), "uint64": _plain(pa.uint64())}
MOMENTS = {
    str(kind): _times(kind)
    for kind in (
        *(pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("ns")),
        pa.timestamp("us", "Europe/Berlin"),
    )
}
NO_TIMES = {
    "nanoseconds": lambda values: pa.array([value * 10**9 for value in values]),
    "double": _plain(pa.float64()),
    "words": lambda values: pa.array(["yesterday"] * len(values)),
}
LABELS = {
    **{str(kind): _plain(kind) for kind in (pa.int8(), pa.int64(), pa.float32(), pa.float64())},
    "bool": lambda values: pa.array([bool(value) for value in values]),
    "decimal": lambda values: _decimals(values, pa.decimal128(3, 1)),
}
NO_LABELS = {
    "yes": lambda values: pa.array(["yes" if value else "no" for value in values]),
    "seven": lambda values: pa.array([value * 7 for value in values]),
    "null": lambda values: pa.nulls(len(values)),
}
UNREAD = {
    "far": lambda values: pa.array([2**62] * len(values), pa.timestamp("us")),
    "decimal256": lambda values: _decimals(values, pa.decimal256(60, 2)),
    "nested": lambda values: pa.array([{"a": [value]} for value in values]),
    "zone": lambda values: pa.array(values, pa.int64()).cast(pa.timestamp("s", "Mars/Olympus")),
    "bytes": lambda values: pa.array([b"\xff\xfe"] * len(values), pa.binary()),
    "nulls": lambda values: pa.nulls(len(values)),
}

LISTS = {
    str(kind): _plain(kind)
    for kind in (
        *(pa.list_(pa.int64()), pa.large_list(pa.int8()), pa.list_view(pa.uint16())),
        *(pa.list_(pa.int32(), 2), pa.list_(pa.uint64())),
    )
}

NAMES = {
    "brand": ["brand", "Brand"],
    "tags": ["tags", "Tags"],
    "user_id": ["user_id", "userId", "USER_ID", "user.id"],
    "item_id": ["item_id", "ItemID", "item-id"],
    "timestamp": ["timestamp", "Timestamp", "TIMESTAMP"],
    "click": ["click", "Click", "CLICK"],
    "price": ["price", "Price"],
    "type": ["type", "Type"],
}


@st.composite
def logs(draw):
    """Draws how a log is written; without an odd column it must be joined."""
    odd = draw(st.sampled_from([None, None, "user_id", "item_id", "timestamp", "click", "twice"]))
    groups = {
        "user_id": draw(st.sampled_from([INTEGERS, TEXTS])),
        "item_id": draw(st.sampled_from([INTEGERS, TEXTS])),
        "timestamp": draw(st.sampled_from([SECONDS, MOMENTS, {"iso": _iso}])),
        "click": LABELS,
        "price": {**INTEGERS, "float": _plain(pa.float32()), "double": _plain(pa.float64())},
    }
    faults = {"user_id": NO_IDS, "item_id": NO_IDS, "timestamp": NO_TIMES, "click": NO_LABELS}
    return drawn(draw, groups, faults, odd)


@st.composite
def items(draw):
    """Draws how items are written, likewise."""
    odd = draw(st.sampled_from([None, None, None, "item_id", "brand", "tags"]))
    groups = {
        "item_id": draw(st.sampled_from([INTEGERS, TEXTS])),
        "brand": draw(st.sampled_from([INTEGERS, TEXTS])),
        "price": {**INTEGERS, "float": _plain(pa.float32()), "double": _plain(pa.float64())},
        "tags": LISTS,
    }
    faults = {
        "item_id": NO_IDS,
        "brand": {"struct": NO_IDS["struct"], "nulls": UNREAD["nulls"]},
        "tags": {"nested": lambda values: pa.array([[value] for value in values])},
    }
    return drawn(draw, groups, faults, odd)


def drawn(draw, groups, faults, odd):
    """Draws files of columns of these groups; those of an odd column are from its faults."""
    files = []
    for _ in range(draw(st.integers(1, 3))):
        columns = {
            name: (
                draw(st.sampled_from(NAMES[name])),
                draw(st.sampled_from([*(faults[name] if name == odd else group).items()])),
            )
            for name, group in groups.items()
        }
        files.append(
            {
                "columns": draw(st.permutations([*columns.items()])),
                "unread": draw(st.lists(st.sampled_from([*UNREAD.items()]), max_size=2)),
                "twice": odd == "twice",
                "empty_before": draw(st.booleans()),
            }
        )
    layout = draw(st.sampled_from(["flat", "nested", "hive", "bare"]))
    # Two formats in one folder are refused: one is mostly a copy of the other.
    form = draw(st.sampled_from(["parquet", "parquet", "orc", "jsonl", "csv"]))
    return {"files": files, "layout": layout, "format": form, "groups": groups, "odd": odd}


def reference(has_user_texts, has_item_texts):
    """Returns the log as a plain table with the same values."""
    log = rows()
    columns = {name: [row[name] for row in log] for name in log[0]}
    for name, has_texts in (("user_id", has_user_texts), ("item_id", has_item_texts)):
        if has_texts:
            columns[name] = [text_of(value) for value in columns[name]]
    return pa.table(columns)


def write(spec, folder, log):
    """Writes rows as drawn."""
    files = spec["files"]
    size = -(-len(log) // len(files))
    parts = [log[number * size : (number + 1) * size] for number in range(len(files))]
    tables = [_table(one, part) for one, part in zip(files, parts, strict=True)]
    # Text has no types of its own, and ORC has fewer.
    suffix = spec["format"] if all(_can(one, spec["format"]) for one in tables) else "parquet"
    for number, one in enumerate(files):
        inside = folder
        if spec["layout"] in ("nested", "hive"):
            inside /= f"day={number}" if spec["layout"] == "hive" else f"part {number}"
        inside.mkdir(parents=True, exist_ok=True)
        (inside / "_SUCCESS").touch()
        table = tables[number]
        bare = spec["layout"] == "bare" and suffix in ("parquet", "orc")
        name = f"{number:03d}" if bare else f"{number:03d}.{suffix}"
        if one["empty_before"] and suffix == "parquet":
            empty = table.slice(0, 0)
            pq.write_table(empty, inside / (f"{number:03d}a" if bare else f"{number:03d}a.parquet"))
        _WRITE[suffix](table, inside / name)


def _table(one, part):
    names, columns = [], []
    for name, (own, (_, make)) in one["columns"]:
        names.append(own)
        columns.append(make([row[name] for row in part]))
    for place, (name, make) in enumerate(one["unread"]):
        names.append(f"{name} {place}")
        columns.append(make([row["price"] for row in part]))
    if one["twice"]:
        place = [name for name, _ in one["columns"]].index("click")
        names.append(names[place])
        columns.append(columns[place])
    return pa.Table.from_arrays(columns, names)


def _can(table, form):
    if form == "parquet":
        return True
    if len(set(table.column_names)) < table.num_columns:
        return False
    types = pa.types
    text = (types.is_dictionary, types.is_binary, types.is_struct, types.is_nested)
    for field in table.schema:
        kind = field.type
        odd = any(is_kind(kind) for is_kind in text) or isinstance(kind, pa.BaseExtensionType)
        odd = odd or pa.types.is_decimal(kind) or pa.types.is_string_view(kind)
        far = pa.types.is_timestamp(kind) and (kind.tz is not None or field.name[:3] == "far")
        if odd or far or (form == "orc" and (kind == pa.uint64() or pa.types.is_null(kind))):
            return False
    return True


def _write_csv(table, path):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow(["" if value is None else value for value in row.values()])


def _write_json(table, path):
    lines = (json.dumps(row, default=str) for row in table.to_pylist())
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


_WRITE = {
    "parquet": lambda table, path: pq.write_table(table, path, row_group_size=5),
    "orc": lambda table, path: orc.write_table(table, str(path)),
    "csv": _write_csv,
    "jsonl": _write_json,
}
