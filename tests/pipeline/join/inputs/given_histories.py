"""Logs and the behavior sequences that are given with them: random ones, on disk, as events."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.pipeline.join import event_oracle
from tests.pipeline.join.event_oracle import Event

BEGIN = 1_000_000


def name(kind, number, text):
    return f"{kind}-{number}" if text else int(number)


def random_log(seed, text=True, timestamps=True, request_ids=False, split=False):
    """Returns rows without duplicates."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(80):
        row = {
            "user_id": name("user", random.integers(6), text),
            "item_id": name("item", random.integers(9), text),
            "click": int(random.integers(2)),
        }
        if timestamps:
            row["timestamp"] = BEGIN + int(random.integers(30))
        if request_ids:
            row["request_id"] = int(random.integers(20))
        if split:
            row["split"] = ("train", "validation", "test")[random.integers(3)]
        if row not in rows or not (timestamps or request_ids):
            rows.append(row)
    return rows


def random_histories(seed, text=True, timed=False, types=1):
    """Returns a sequence for users 0 to 3, one of them empty, and for one who is not in the log."""
    random = np.random.default_rng(seed)
    sequences = []
    for user, length in ((0, 9), (1, 2), (2, 0), (3, 4), (77, 3)):
        sequence = {
            "user_id": name("user", user, text),
            "item_id": [name("item", item, text) for item in random.integers(12, size=length)],
        }
        if timed:
            times = BEGIN + np.sort(random.integers(-10, 30, length))
            sequence["timestamp"] = times.tolist()
        if types > 1:
            sequence["type"] = random.integers(types, size=length).tolist()
        sequences.append(sequence)
    return sequences


def write(path, sequences, encoded=False, text=True):
    """Writes sequences; `encoded` uses dictionaries for ids, and large lists."""
    path.mkdir()
    ids = pa.string() if text else pa.int64()
    kinds = {"user_id": ids, "item_id": pa.list_(ids)}
    if encoded:
        kinds = {
            "user_id": pa.dictionary(pa.int32(), ids),
            "item_id": pa.large_list(pa.dictionary(pa.int32(), ids)),
        }
    kinds |= {"timestamp": pa.list_(pa.int64()), "type": pa.list_(pa.int64())}
    columns = {}
    for column in sequences[0]:
        values = [one[column] for one in sequences]
        if encoded and column == "user_id":
            columns[column] = pa.array(values, ids).dictionary_encode()
        elif encoded and column == "item_id":
            flat = pa.array([item for one in values for item in one], ids).dictionary_encode()
            offsets = pa.array(np.append(0, np.cumsum([len(one) for one in values])), pa.int64())
            columns[column] = pa.LargeListArray.from_arrays(offsets, flat)
        else:
            columns[column] = pa.array(values, kinds[column])
    pq.write_table(pa.table(columns), path / "part.parquet", row_group_size=2)
    return path


def log_events(rows, is_behavior):
    """Returns events; without a timestamp all happen at 0 and none is shown with another."""
    return [
        Event(
            row["user_id"],
            row["item_id"],
            row.get("timestamp", 0),
            (1, number),
            row.get("request_id", None if "timestamp" in row else number),
            behavior=is_behavior(row),
            split=row.get("split", ""),
            labels={"click": row["click"]},
        )
        for number, row in enumerate(rows)
    ]


def given_events(sequences, length):
    events = []
    for sequence in sequences:
        timed = "timestamp" in sequence
        items = list(enumerate(sequence["item_id"]))
        for place, item in items if timed else items[-length:]:
            events.append(
                Event(
                    sequence["user_id"],
                    item,
                    sequence["timestamp"][place] if timed else -1e9,
                    (0, place),
                    role=event_oracle.PRIOR,
                    behavior=True,
                    type=sequence.get("type", [0] * 99)[place],
                    gap=timed,
                )
            )
    return events
