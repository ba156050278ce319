"""A user with a million events, an item in every history: bounded memory, the same records."""

import collections
import pickle
import sys

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from benchmarks.measuring import measured_process
from features.embeddings import embedding_files
from features.ids import hashing
from features.schema import ExampleSchema, Modality
from pipeline.join import planner
from pipeline.join.inputs import history_cap
from pipeline.join.inputs.log_columns import Role
from pipeline.join.options import JoinOptions
from pipeline.join.transport import embedding_shuffle
from tests.pipeline.join import logs, oracle

HOT_USER, HOT_ITEM = "user-hot", "item-0"
HOT_EVENTS = 1_000_000
ITEMS = [f"item-{number}" for number in range(40)]
MOST_MIB = 1_000


def ordinary_rows():
    """Every second event is of the item that is in every history."""
    rows = logs.random_rows(0, events=4_000, users=50, items=40, moments=3_000)
    for row in rows[::2]:
        row.update(item_id=HOT_ITEM, click=1)
    return rows


def hot_table(events, first, last):
    random = np.random.default_rng(1)
    items = random.integers(0, 40, events)
    return pa.table(
        {
            "user_id": pa.array([HOT_USER]).take(pa.array(np.zeros(events, np.int64))),
            "item_id": pa.array(ITEMS).take(pa.array(items)),
            "timestamp": np.sort(random.integers(first, last, events)),
            "click": random.integers(0, 2, events),
            "rating": random.integers(1, 6, events).astype(np.float64),
        }
    )


@pytest.mark.slow(seconds=40)
@pytest.mark.parametrize("strategy", ["broadcast", "shuffle"])
def test_a_user_with_a_million_events(tmp_path, strategy):
    logs.write_log(tmp_path / "ordinary", ordinary_rows())
    logs.write_log(tmp_path / "both", ordinary_rows())
    hot = hot_table(HOT_EVENTS, 1_000_000, 1_020_000)
    pq.write_table(hot, tmp_path / "both" / "part-9.parquet", row_group_size=100_000)
    text = logs.write_embeddings(tmp_path / "text", logs.random_embeddings(0, ITEMS, 16))
    common = ["--splits=train:..1010000,test:1010000..", f"--embeddings=text={text}"]
    common += ["--partitions=8", f"--embedding_strategy={strategy}"]
    peaks = {}
    for log in ("ordinary", "both"):
        places = [f"--events={tmp_path / log}", f"--output={tmp_path / f'{log}-out'}"]
        command = [sys.executable, "-m", "pipeline.build_examples", *places, *common]
        # By /proc: what the kernel counts for a child begins with the size of this process.
        peaks[log] = measured_process.run(command).largest_process_mib
    assert peaks["both"] < MOST_MIB, peaks
    manifest = oracle.manifest(tmp_path / "both-out")
    dropped = sum(manifest["counts"]["dropped"].values())
    assert manifest["counts"]["written"] + dropped == HOT_EVENTS + 4_000
    expected = records(tmp_path / "ordinary-out")
    assert expected.total() > 1_000
    assert records(tmp_path / "both-out", without=oracle.int64(HOT_USER)) == expected


def records(output, without=None):
    """Returns the records of all users but one, whose million are told by their bytes."""
    feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[without or 0]))
    theirs = feature.SerializeToString()
    found = collections.Counter()
    for path in sorted(output.glob("*.tfrecord")):
        for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            if without is None or theirs not in raw:
                found[oracle.comparable(oracle.parse(raw), ["text"], False)] += 1
    return found


def event_batch(random, users, events):
    """Events of ascending time, as they pass between the join's steps."""
    # About three rows of each event: duplicates must not push other behaviors out.
    event = np.sort(random.integers(0, events // 3, events))
    return pa.record_batch(
        {
            "user": random.integers(0, users, events)[event],
            "time": event // 2,
            "row": np.arange(events),
            "content": event,
            "file": np.zeros(events, np.int32),
            "behavior": (random.random(events) < 0.5)[event],
            "role": np.full(events, Role.CANDIDATE, np.int8),
        }
    )


def seen(events, request_time, delay, length):
    """Returns the rows of each user's behaviors that a request of that time sees."""
    rows = sorted(
        events.to_pylist(), key=lambda row: (row["user"], row["time"], row["file"], row["row"])
    )
    first, found = set(), collections.defaultdict(list)
    for row in rows:
        key = (row["user"], row["time"], row["content"])
        if key not in first and row["behavior"] and row["time"] < request_time - delay:
            found[row["user"]].append(row["row"])
        first.add(key)
    return {user: rows[-length:] for user, rows in found.items()}


@pytest.mark.parametrize("delay", [0, 7])
def test_capped_batches_show_the_same_histories(delay):
    random = np.random.default_rng(delay)
    for users in (1, 5):
        events = event_batch(random, users, 600)
        begin, length = 70, 4
        parts = [events.slice(start, 100) for start in range(0, 600, 100)]
        capped = [history_cap.cap(part, begin, delay, length) for part in parts]
        left = pa.Table.from_batches(capped)
        for request_time in (begin, begin + 1, begin + 20):
            assert seen(left, request_time, delay, length) == seen(
                events, request_time, delay, length
            )
        for part in capped:
            older = np.asarray(part["time"]) < begin - delay
            assert np.bincount(np.asarray(part["user"])[older], minlength=1).max() <= length
            assert np.asarray(part["behavior"])[older].all()


def test_the_item_in_every_history_is_sent_once_a_partition(tmp_path):
    """A bucket answers each partition with one block, in which each item is once."""
    text = logs.write_embeddings(tmp_path / "text", logs.random_embeddings(0, ITEMS, 16, missing=0))
    files = embedding_files.open_files(text)
    options = JoinOptions.from_dict(
        {
            "events": "e",
            "output": "o",
            "embeddings": {"text": text},
            "embedding_strategy": "shuffle",
        }
    )
    shuffle = planner.decide(options, 100, {"text": files}).shuffle
    schema = ExampleSchema(
        labels=("click",), modalities=(Modality("text", 16, False),), history_length=50
    )
    hot = hashing.fingerprint_strings(np.array([HOT_ITEM]))[0]
    others = hashing.fingerprint_strings(np.array(ITEMS[1:]))
    partitions = 6
    needs = [
        need
        for partition in range(partitions)
        for need in embedding_shuffle.needs_of(
            partition, np.append(np.repeat(hot, 5_000), others[partition::2]), shuffle.buckets
        )
    ]
    output = tmp_path / "blocks"
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        blocks, _ = (
            pipeline
            | beam.Create(needs)
            | embedding_shuffle.ShipVectors(schema, shuffle, folder=None)
        )
        _ = (
            blocks
            | beam.Map(pickle.dumps)
            | beam.combiners.ToList()
            | beam.Map(lambda all_blocks: output.write_bytes(pickle.dumps(all_blocks)))
        )
    by_partition = collections.defaultdict(list)
    for one in map(pickle.loads, pickle.loads(output.read_bytes())):
        by_partition[one[0]].append(one[1])
    assert set(by_partition) == set(range(partitions))
    for partition, sent in by_partition.items():
        assert len(sent) <= shuffle.buckets
        # An item sent twice would be an error here.
        items = embedding_shuffle.tables_of(sent, schema)["text"].item_ids
        assert set(items) == {hot, *others[partition::2]}
