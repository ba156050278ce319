"""Random logs in many short parts, whose clicks come late, and how to join them."""

import collections

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from tests.pipeline.join import logs

WINDOW = 130
SHOWN = pa.schema(
    [
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("timestamp", pa.int64()),
        ("request_id", pa.int64()),
        ("liked", pa.int64()),
        ("rating", pa.float64()),
        ("device", pa.int64()),
        ("worth", pa.float64()),
        ("place", pa.float64()),
        ("event", pa.string()),
    ]
)
CLICKED = pa.schema([SHOWN.field(name) for name in ("user_id", "item_id", "timestamp")])


class World:
    """Impressions and clicks of consecutive parts of `length` seconds.

    Times have ties. A user and an item come anew with every part. One part is without events, and
    clicks come up to two windows after the impression, some of them twice.

    Args:
      seed: of the random numbers.
      parts: how many.
      length: of each, seconds.
      crossing: whether requests go on into the next part.
      events: about how many impressions a part has.
    """

    def __init__(self, seed, parts, length, crossing=False, events=26):
        random = np.random.default_rng(seed)
        self.names = [f"p{number:02}" for number in range(parts)]
        self.shown = {name: [] for name in self.names}
        self.clicked = {name: [] for name in self.names}
        self._length = length
        empty = parts // 2
        times = np.sort(random.integers(0, parts * length, events * parts) // 5 * 5)
        for number, time in enumerate(times.tolist()):
            part = time // length
            if part == empty:
                continue
            row = {
                "user_id": int(random.integers(3 + part)),
                "item_id": int(random.integers(4 + part)),
                "timestamp": time,
                "request_id": int(time // 20 if crossing else part * 1000 + random.integers(9)),
                "liked": int(random.integers(2)),
                # Sums of these depend on the order in which they are added.
                "rating": float(random.choice([0.1, 1e17, -1e17, 3.3, 7])),
                "device": number,
                "worth": float(random.integers(4)),
                "place": float(random.integers(5)),
                "event": "show",
            }
            for _ in range(1 + (random.random() < 0.1)):
                self.shown[self.names[part]].append(row)
            for _ in range(int(random.choice([0, 1, 1, 2]))):
                lag = int(random.choice([0, WINDOW, WINDOW + 5, random.integers(2 * WINDOW)]))
                click = {**row, "timestamp": time + lag // 5 * 5, "event": "click"}
                if click["timestamp"] // length not in (empty, *range(parts, 3 * parts)):
                    self.clicked[self.names[click["timestamp"] // length]].append(click)

    def join(self, folder, part, output="out", **values):
        """Joins a part, or with `part` None the log of all parts; returns the manifest."""
        names = self.names if part is None else [part]
        label_logs = values.pop("label_logs", False)
        values["partitions"] = values.get("partitions", 3)
        shown, clicked = (
            [row for name in names for row in rows[name]] for rows in (self.shown, self.clicked)
        )
        if "label_events" in values:
            shown, clicked = shown + clicked, []
        place = folder / output / f"log-{part}"
        inputs = {"events": _written(place / "shown", shown, SHOWN)}
        if label_logs:
            inputs["label_logs"] = {"click": _written(place / "clicked", clicked, CLICKED)}
            inputs["attribution_window"] = {"click": WINDOW}
        end = len(self.names) * self._length
        given = {
            "history_length": 5,
            "labels": ["click", "liked"] if label_logs else ["liked"],
            "behavior_rule": "click == 1" if label_logs else "liked == 1",
            "splits": f"train:..{end // 2},test:{end // 2 + self._length // 3}..",
            "output": str(folder / output / "examples"),
            **({} if part is None else {"part": part}),
            **inputs,
            **values,
        }
        if "label_logs" in inputs and "liked" in given["behavior_rule"]:
            raise ValueError("A label log has no such label.")
        return build_examples(JoinOptions.from_dict(given))

    def grown(self, folder, output="out", waiting=False, partitions=(3,), **values):
        """Joins all parts in order, the last of them without waiting; returns the manifest."""
        for number, part in enumerate(self.names):
            given = {"partitions": partitions[number % len(partitions)], **values}
            given["wait_for_labels"] = waiting and part != self.names[-1]
            manifest = self.join(folder, part, output, **given)
        return manifest


def _written(folder, rows, schema):
    folder.mkdir(parents=True, exist_ok=True)
    own = [{name: row[name] for name in schema.names} for row in rows]
    pq.write_table(pa.Table.from_pylist(own, schema=schema), folder / "part.parquet")
    return str(folder)


def records(folder, below=""):
    """Returns a Counter of a data set's records, as bytes with their split; of all its parts."""
    found = collections.Counter()
    for path in sorted((folder / "examples" / below).rglob("*.tfrecord")):
        split = path.name.split("-")[0]
        found.update((split, one.numpy()) for one in tf.data.TFRecordDataset(str(path)))
    return found


def write_vectors(folder, items=40):
    """Writes an embedding set of half of the items, some of which come later than others."""
    ids = list(range(0, items, 2))
    times = [0, 300_000_000, 700_000_000]
    return logs.write_embeddings(folder, logs.random_embeddings(0, ids, 5, times=times))
