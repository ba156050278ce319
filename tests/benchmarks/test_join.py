"""The join's benchmark: its three ways make the same records, and it measures what it says."""

import collections
import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from benchmarks.join_alternatives import joined_records, single_process
from benchmarks.join_alternatives import rowwise as join_rowwise
from benchmarks.marketplace.settings import MarketplaceSettings
from benchmarks.measuring import measured_process
from benchmarks.simulate import simulate
from features.records import tfrecord
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from tests.conftest import REPOSITORY

LENGTH = 6
DAYS = 3


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("simulated") / "log")
    settings = {"events": 4000, "users": 40, "items": 300, "modalities": {"text": 16}}
    simulate(folder, MarketplaceSettings.from_dict({**settings, "days": DAYS}))
    return folder


@pytest.fixture(scope="module")
def untidy_log(log, tmp_path_factory):
    """The log with duplicates, bad rows, long requests, requests that last, late embeddings."""
    folder = tmp_path_factory.mktemp("untidy")
    rows = pq.read_table(os.path.join(log, "impressions")).to_pylist()
    rng = np.random.default_rng(0)
    [(busiest, _)] = collections.Counter(row["user_id"] for row in rows).most_common(1)
    for number, row in enumerate(rows):
        # One user sends one request of more candidates than a record holds.
        row["request_id"] = -1 if row["user_id"] == busiest else row["request_id"]
        row["timestamp"] += int(rng.integers(3)) * 60_000
        # Many rows that share all but one column.
        if number and number % 7 == 0:
            row.update({**rows[number - 1], "position": number})
    rows += [dict(rows[number]) for number in rng.integers(len(rows), size=300)]
    rows += [dict(rows[3], click=3), dict(rows[4], item_id=None), dict(rows[5], timestamp=-1)]
    vectors = pq.read_table(os.path.join(log, "embeddings", "text", "part-00000.parquet"))
    times = rng.choice([row["timestamp"] for row in rows], len(vectors)) * 1000
    place = vectors.schema.get_field_index("available_at")
    os.makedirs(folder / "embeddings" / "text")
    pq.write_table(
        vectors.set_column(place, "available_at", pa.array(times)),
        folder / "embeddings" / "text" / "part-00000.parquet",
    )
    order = rng.permutation(len(rows))
    schema = pq.read_schema(os.path.join(log, "impressions", "part-00000.parquet"))
    os.mkdir(folder / "impressions")
    for part in range(2):
        table = pa.Table.from_pylist([rows[row] for row in order[part::2]], schema)
        pq.write_table(table, folder / "impressions" / f"part-{part}.parquet")
    return str(folder)


def ours(log, output):
    values = {
        "events": os.path.join(log, "impressions"),
        "embeddings": {"text": os.path.join(log, "embeddings", "text")},
        "output": output,
        "history_length": LENGTH,
        "timestamp_unit": "ms",
        "candidate_embeddings": (),
        "partitions": 3,
    }
    return build_examples(JoinOptions.from_dict(values))


def parsed(folder):
    """Returns all records of a folder as dictionaries of lists; TensorFlow checks the frames."""
    paths = [str(path) for path in folder.glob("*.tfrecord")]
    records = []
    for serialized in tf.data.TFRecordDataset(paths).as_numpy_iterator():
        feature = tf.train.Example.FromString(serialized).features.feature
        records.append(
            {name: getattr(f, f.WhichOneof("kind")).value for name, f in feature.items()}
        )
    return records


def test_the_limit_writes_our_records(log, tmp_path):
    manifest = ours(log, str(tmp_path / "ours"))
    single_process.join(log, str(tmp_path / "limit"), LENGTH)
    count = joined_records.check_equal(str(tmp_path / "limit"), str(tmp_path / "ours"))
    assert count == sum(split["records"] for split in manifest["splits"].values()) > 300
    vocabulary = (tmp_path / "ours" / "vocabulary" / "item_id.txt").read_text()
    assert (tmp_path / "limit" / "item_id.txt").read_text() == vocabulary
    # Histories that are full, and embeddings that are not there yet, or the test shows little.
    records = parsed(tmp_path / "ours")
    assert max(len(record["history_item_id"]) for record in records) == LENGTH
    assert any(0 in record["similarity_text"][0] for record in records)


def test_the_limit_writes_our_records_of_an_untidy_log(untidy_log, tmp_path):
    manifest = ours(untidy_log, str(tmp_path / "ours"))
    assert manifest["counts"]["dropped"]["duplicate"] >= 250
    assert sum(manifest["counts"]["quarantined"].values()) == 3
    single_process.join(untidy_log, str(tmp_path / "limit"), LENGTH)
    assert joined_records.check_equal(str(tmp_path / "limit"), str(tmp_path / "ours")) > 100
    records = parsed(tmp_path / "ours")
    assert max(len(record["candidate_item_id"]) for record in records) == 128


@pytest.mark.parametrize("record", ["candidate", "request"])
def test_rowwise_holds_the_same_values(log, tmp_path, record):
    ours(log, str(tmp_path / "ours"))
    join_rowwise.join(log, str(tmp_path / "rowwise"), LENGTH, record)
    vectors_path = os.path.join(log, "embeddings", "text", "part-00000.parquet")
    vectors = {row["item_id"]: row["embedding"] for row in pq.read_table(vectors_path).to_pylist()}
    expected = collections.Counter()
    for one in parsed(tmp_path / "ours"):
        history = (tuple(one["history_item_id"]), tuple(one["history_time_gap"]))
        scalars = one["user_id"][0], one["request_id"][0], one["timestamp"][0] // 1000
        pairs = list(zip(one["candidate_item_id"], one["click"], strict=True))
        for shown in [[pair] for pair in pairs] if record == "candidate" else [pairs]:
            expected[*scalars, *history, tuple(sorted(shown))] += 1
    found = collections.Counter()
    for one in parsed(tmp_path / "rowwise"):
        history = tuple(one.get("history_item_id", ())), tuple(one.get("history_time_gap", ()))
        scalars = one["user_id"][0], one["request_id"][0], one["timestamp"][0]
        pairs = zip(one["candidate_item_id"], one["click"], strict=True)
        found[*scalars, *history, tuple(sorted(pairs))] += 1
        for name in ("history", "candidate"):
            floats = np.array(one.get(f"{name}_embedding", ())).reshape(-1, 16)
            items = one.get(f"{name}_item_id", ())
            wanted = [vectors.get(item, [0] * 16) for item in items]
            np.testing.assert_array_equal(floats, np.array(wanted).reshape(-1, 16))
    assert found == expected
    assert len(found) > 300


def test_records_that_differ_are_refused(tmp_path):
    def write(name, records):
        os.makedirs(tmp_path / name)
        for split, own in records.items():
            shard = tmp_path / name / f"{split}.tfrecord"
            shard.write_bytes(b"".join(map(tfrecord.frame, own)))
        return str(tmp_path / name)

    first = write("first", {"train": [b"a", b"b", b"b"], "test": [b"c"]})
    same = write("same", {"train-00000-of-00001": [b"b", b"a", b"b"], "test": [b"c"]})
    assert joined_records.check_equal(first, same) == 4
    for name, other in {
        "fewer": {"train": [b"a", b"b"], "test": [b"c"]},
        "moved": {"train": [b"a", b"b", b"b", b"c"]},
        "changed": {"train": [b"a", b"b", b"d"], "test": [b"c"]},
    }.items():
        with pytest.raises(RuntimeError, match=r"records of .* differ"):
            joined_records.check_equal(first, write(name, other))
    path = os.path.join(first, "test.tfrecord")
    with open(path, "r+b") as file:
        file.seek(12)
        file.write(b"C")
    with pytest.raises(ValueError, match="does not fit its record"):
        joined_records.check_equal(first, same)


def test_memory_and_time_of_a_process_tree_are_measured():
    block = "held = bytearray(150 << 20); import time; time.sleep(1.5)"
    parent = (
        "import subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', {block!r}]); {block}; child.wait()"
    )
    usage = measured_process.run([sys.executable, "-c", parent])
    assert 1.5 <= usage.seconds < 30
    assert usage.processes == 2
    assert 300 < usage.peak_mib < 400
    assert 150 < usage.largest_process_mib < 200


def test_a_command_that_fails_shows_its_output():
    with pytest.raises(RuntimeError, match=r"(?s)ended with 3:.*out of luck"):
        measured_process.run([sys.executable, "-c", "print('out of luck'); raise SystemExit(3)"])


@pytest.mark.slow
def test_benchmark_writes_what_is_documented(tmp_path):
    command = [sys.executable, "-m", "benchmarks.join", f"--output={tmp_path / 'join.json'}"]
    command += ["--events=4000", "--rowwise_events=1500", "--large_events=6000", "--items=400"]
    command += ["--dimension=8", "--history_length=5", "--repeats=1", f"--work={tmp_path / 'work'}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "join.json").read_text())
    measured = [(row["way"], row["events"]) for row in result["rows"]]
    assert measured == [
        ("ours", 4000),
        ("limit", 4000),
        ("rowwise", 1500),
        ("ours", 1500),
        ("ours", 6000),
    ]
    for row in result["rows"]:
        assert {"way", "events", "seconds", "bytes", "peak_mib"} <= set(row)
        assert row["seconds"] > 0 and row["bytes"] > 10_000 and row["peak_mib"] > 100
    ours_row, limit, rowwise, small, large = result["rows"]
    assert ours_row["bytes"] == limit["bytes"] < large["bytes"]
    assert result["records_compared"] > 300
    assert result["ratio_limit"] == pytest.approx(limit["seconds"] / ours_row["seconds"])
    assert result["ratio_bytes"] == pytest.approx(small["bytes"] / rowwise["bytes"])
    assert result["ratio_large"] == pytest.approx(large["seconds"] / ours_row["seconds"])
    assert result["ratio_rowwise"] > 0
    assert {"command", "environment", "parameters", "compared"} <= set(result)
    assert not (tmp_path / "work").exists()
