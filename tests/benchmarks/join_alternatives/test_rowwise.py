"""Row-wise Beam writes the values of our records."""

import collections
import os

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from benchmarks.join_alternatives import rowwise
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.simulation.settings import MarketplaceSettings
from pipeline.simulation.simulation import simulate

LENGTH = 6


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("simulated") / "log")
    settings = {"events": 4000, "users": 40, "items": 300, "modalities": {"text": 16}}
    simulate(folder, MarketplaceSettings.from_dict({**settings, "days": 3}))
    return folder


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


@pytest.mark.parametrize("record", ["candidate", "request"])
def test_rowwise_holds_the_same_values(log, tmp_path, record):
    ours(log, str(tmp_path / "ours"))
    rowwise.join(log, str(tmp_path / "rowwise"), LENGTH, record)
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
