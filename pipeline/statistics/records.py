"""Label rates by time from the records of joined examples."""

from typing import Any

import numpy as np
import tensorflow as tf

from features.records import record_files
from features.schema import TIMESTAMP
from models.inputs import shard_reading
from models.inputs.example_set import ExampleSet
from pipeline.statistics import time_buckets

_RECORDS = 200_000
_BATCH = 4096


def label_rates_by_time(examples: ExampleSet, largest: int = _RECORDS) -> dict[str, Any]:
    """Parses time and labels of records, of whole shards until there are enough.

    Shards are partitioned by user, so a few of them cover all times; a data set that grew by dated
    parts has shards of each part. Evenly spaced shards are read, by name, of every split.

    Args:
      examples: the data set.
      largest: the approximate number of records to parse at most.

    Returns:
      See `time_buckets.timeline`, an event being a candidate; and `sampled_share` of the records.
    """
    splits = examples.manifest["splits"]
    total = sum(split["records"] for split in splits.values())
    share = min(1.0, largest / max(total, 1))
    paths: list[str] = []
    for name, split in splits.items():
        names = examples.paths(name) if split["shards"] else []
        wanted = max(1, round(share * len(names))) if names else 0
        paths += [names[index * len(names) // wanted] for index in range(wanted)]
    examples.verify(paths)
    with shard_reading.guarded(examples, paths):
        times, sizes, labels = _parse(paths, examples.schema.labels)
    size = time_buckets.width(int(times.min()), int(times.max())) if len(times) else 1
    buckets = np.repeat(times // size, sizes)
    found = {}
    for bucket in np.unique(buckets).tolist():
        inside = buckets == bucket
        events = int(inside.sum())
        counts = {name: int(values[inside].sum()) for name, values in labels.items()}
        found[bucket] = {
            "events": events,
            "labels": {name: {"known": events, "positives": n} for name, n in counts.items()},
        }
    line = time_buckets.timeline(size, found, examples.schema.labels)
    return {**line, "sampled_share": len(times) / total if total else 1.0}


def _parse(
    paths: list[str], labels: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Returns times `[R]`, candidates per record `[R]`, and labels of all candidates by name."""
    spec: dict[str, Any] = {TIMESTAMP: tf.io.FixedLenFeature([], tf.int64)}
    spec |= {name: tf.io.RaggedFeature(tf.float32) for name in labels}
    times, sizes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    values = {name: [np.zeros(0, np.float32)] for name in labels}
    for batch in record_files.read_all(paths).batch(_BATCH):
        parsed = tf.io.parse_example(batch, spec)
        times.append(parsed[TIMESTAMP].numpy())
        sizes.append(parsed[labels[0]].row_lengths().numpy())
        for name in labels:
            values[name].append(parsed[name].flat_values.numpy())
    return (
        np.concatenate(times),
        np.concatenate(sizes),
        {name: np.concatenate(parts) for name, parts in values.items()},
    )
