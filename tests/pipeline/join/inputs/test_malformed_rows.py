"""10,000 malformed rows of every kind among good ones: each in quarantine with its reason."""

import collections
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions

GOOD = 2_000
COPIES = 440
NAN, INFINITY = float("nan"), float("inf")

EVENT_KINDS = {
    "user_id is null": [{"user_id": None}],
    "item_id is null": [{"item_id": None}],
    "timestamp is null": [{"timestamp": None}],
    "request_id is null": [{"request_id": None}],
    "click is null": [{"click": None}],
    "split is null": [{"split": None}],
    "rating is null": [{"rating": None}],
    "user_id is empty": [{"user_id": ""}],
    "item_id is empty": [{"item_id": ""}],
    "timestamp is negative or after 2200": [{"timestamp": -1}, {"timestamp": 7_289_654_400}],
    "click is NaN or infinite": [{"click": NAN}, {"click": INFINITY}, {"click": -INFINITY}],
    "click is not 0 or 1": [{"click": 2.0}, {"click": -1.0}, {"click": 0.5}],
    "rating is NaN or infinite": [{"rating": NAN}, {"rating": INFINITY}],
    "price is NaN or infinite": [{"price": NAN}, {"price": -INFINITY}],
    "split is not train, validation, test": [{"split": "holdout"}, {"split": ""}],
}
HISTORY_KINDS = {
    "user_id is null": {"user_id": None},
    "user_id is empty": {"user_id": ""},
    "item_id is null": {"item_id": None},
    "item_id holds a null": {"item_id": ["item-1", None]},
    "timestamp and item_id differ in length": {"timestamp": [1]},
    "timestamp holds a null": {"timestamp": [1, None]},
    "timestamp is negative or after 2200": {"timestamp": [-5, 1]},
    "timestamp is not ascending (oldest first)": {"timestamp": [9, 1]},
    "type and item_id differ in length": {"type": [0, 0, 0]},
    "type holds a null": {"type": [None, 0]},
    "type is not in [0, 2) (--history_types)": {"type": [0, 2]},
}
VECTOR_KINDS = {
    "item_id is null": (None, [1.0, 2.0, 3.0]),
    "embedding is null": ("x", None),
    "embedding does not have 3 values": ("x", [1.0, 2.0]),
    "embedding holds NaN or infinity": ("x", [NAN, 0.0, 1.0]),
    "item_id appeared before": ("item-1", [0.0, 1.0, 0.0]),
}


def good_event(number):
    return {
        "user_id": f"user-{number % 97}",
        "item_id": f"item-{number % 31}",
        "timestamp": 1_000_000 + number,
        "request_id": number,
        "click": float(number % 3 == 0),
        "rating": float(number % 5),
        "price": 1.5,
        "split": ("train", "train", "validation", "test")[number % 4],
        "serial": number,
    }


def mixed(good, bad, seed):
    """Returns rows in random order, and the reason against each row, empty for good ones."""
    rows = [(row, "") for row in good] + bad
    order = np.random.default_rng(seed).permutation(len(rows))
    return [rows[place][0] for place in order], [rows[place][1] for place in order]


def write(folder, rows, schema, files):
    """Writes files of several row groups; returns file and row of each row."""
    folder.mkdir(parents=True)
    size, places = -(-len(rows) // files), []
    for number in range(files):
        part = rows[number * size : (number + 1) * size]
        name = f"part-{number}.parquet"
        table = pa.Table.from_pylist(part, schema)
        pq.write_table(table, folder / name, row_group_size=777)
        places += [(name, row) for row in range(len(part))]
    return places


def quarantined(folder, prefix):
    """Returns file, row, reason of every line of a source's quarantine."""
    lines = []
    for path in sorted((folder / "quarantine").glob(f"{prefix}*.jsonl")):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    return collections.Counter((line["file"], line["row"], line["reason"]) for line in lines)


def planted(places, reasons):
    return collections.Counter(
        (*place, reason) for place, reason in zip(places, reasons, strict=True) if reason
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Log, label log, histories and vectors with malformed rows, and what was planted where."""
    folder = tmp_path_factory.mktemp("malformed")
    bad = []
    for reason, changes in EVENT_KINDS.items():
        for number in range(COPIES):
            change = changes[number % len(changes)]
            bad.append(({**good_event(100_000 + len(bad)), **change}, reason))
    rows, reasons = mixed([good_event(number) for number in range(GOOD)], bad, 0)
    text, number, real = pa.string(), pa.int64(), pa.float64()
    schema = pa.schema(
        [
            ("user_id", text),
            ("item_id", text),
            ("timestamp", number),
            ("request_id", number),
            ("click", real),
            ("rating", real),
            ("price", real),
            ("split", text),
            ("serial", number),
        ]
    )
    found = {"events": planted(write(folder / "events", rows, schema, 3), reasons)}

    orders = [
        {name: good_event(number)[name] for name in ("user_id", "item_id", "timestamp", "rating")}
        for number in range(0, GOOD, 7)
    ]
    kinds = ("user_id is null", "item_id is null", "timestamp is null", "item_id is empty")
    kinds += ("timestamp is negative or after 2200", "rating is NaN or infinite")
    bad = [
        ({**orders[0], **EVENT_KINDS[reason][n % len(EVENT_KINDS[reason])]}, reason)
        for reason in kinds
        for n in range(COPIES // 2)
    ]
    rows, reasons = mixed(orders, bad, 1)
    schema = pa.schema([schema.field(name) for name in orders[0]])
    found["label_order"] = planted(write(folder / "orders", rows, schema, 2), reasons)

    sequence = {"user_id": "", "item_id": ["item-1", "item-2"], "timestamp": [1, 2], "type": [0, 1]}
    good = [{**sequence, "user_id": f"user-{number}"} for number in range(97)]
    bad = [
        ({**good[0], **change}, reason)
        for reason, change in HISTORY_KINDS.items()
        for _ in range(COPIES // 2)
    ]
    rows, reasons = mixed(good, bad, 2)
    schema = pa.schema(
        [
            ("user_id", text),
            ("item_id", pa.list_(text)),
            ("timestamp", pa.list_(number)),
            ("type", pa.list_(pa.int8())),
        ]
    )
    found["histories"] = planted(write(folder / "histories", rows, schema, 2), reasons)

    # Duplicates of item-1 come after it: the first row of an id is the one that counts.
    good = [(f"item-{number}", [1.0, float(number), 2.0]) for number in range(31)]
    bad = [(row, reason) for reason, row in VECTOR_KINDS.items() for _ in range(COPIES // 4)]
    rest, reasons = mixed(good[2:], bad, 3)
    rows = [{"item_id": item, "embedding": vector} for item, vector in (*good[:2], *rest)]
    schema = pa.schema([("item_id", text), ("embedding", pa.list_(pa.float32()))])
    places = write(folder / "text", rows, schema, 2)
    found["embeddings-text"] = planted(places, ["", "", *reasons])
    return folder, found, len(orders)


def options(folder, output, **values):
    return JoinOptions.from_dict(
        {
            "events": str(folder / "events"),
            "label_logs": {"order": str(folder / "orders")},
            "histories": str(folder / "histories"),
            "history_types": 2,
            "embeddings": {"text": str(folder / "text")},
            "labels": ["click", "order"],
            "behavior_rule": "rating >= 2",
            "context": ["price"],
            "split_column": "split",
            "partitions": 3,
            "output": str(output),
            "max_bad_fraction": 0.99,
            **values,
        }
    )


@pytest.mark.parametrize("strategy", ["broadcast", "shuffle"])
def test_each_is_in_quarantine_and_none_is_lost(inputs, tmp_path, strategy):
    folder, expected, orders = inputs
    assert len(EVENT_KINDS) + len(HISTORY_KINDS) + len(VECTOR_KINDS) >= 15
    assert sum(sum(one.values()) for one in expected.values()) >= 10_000
    manifest = build_examples(options(folder, tmp_path / "out", embedding_strategy=strategy))
    for source, rows in expected.items():
        assert (
            quarantined(tmp_path / "out", f"{source}-" if source != "embeddings-text" else source)
            == rows
        )
    counts = manifest["counts"]
    assert counts["written"] == GOOD
    log_rows = sum(expected["events"].values()) + sum(expected["label_order"].values())
    assert sum(counts["quarantined"].values()) == log_rows
    assert counts["read"] == log_rows + GOOD + orders
    assert counts["read"] == (
        counts["written"]
        + sum(counts["attributed"].values())
        + log_rows
        + sum(counts["dropped"].values())
    )
    reasons = collections.Counter()
    for (_, _, reason), number in expected["histories"].items():
        reasons[reason] += number
    assert counts["histories"]["quarantined"] == reasons
    assert manifest["embedding_sets"]["text"]["items"] == 31


@pytest.mark.parametrize(
    ("good", "flag"),
    [
        ({}, "--events"),
        ({"events": "clean", "label_logs": {}, "labels": ["click"]}, "--histories"),
        ({"events": "clean", "label_logs": {}, "labels": ["click"], "histories": None,
          "history_types": 1}, "--embeddings text"),
    ],
)  # fmt: skip
def test_too_many_stop_the_job_and_are_kept(inputs, tmp_path, good, flag):
    folder, _, _ = inputs
    if good:
        rows = [good_event(number) for number in range(200)]
        (tmp_path / "clean").mkdir()
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "clean" / "part.parquet")
        good = {**good, "events": str(tmp_path / "clean")}
    with pytest.raises(UserInputError, match=f"{flag}: .* rows are bad.*--max_bad_fraction"):
        build_examples(options(folder, tmp_path / "out", max_bad_fraction=0.05, **good))
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.building").exists()
    assert any((tmp_path / "out.rejected" / "quarantine").glob("*.jsonl"))
