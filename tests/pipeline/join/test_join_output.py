"""What a join leaves: one whole data set, whatever was there before, and the rows it refused."""

import json
import os

import numpy as np
import pytest

from features.errors import UserInputError
from pipeline.join.job import build_examples
from pipeline.join.partition import partition_shards
from tests.pipeline.join import logs
from tests.pipeline.join.joins import add_up, options, random_log, shard_hashes

ITEMS = [f"item-{number}" for number in range(12)]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return random_log(tmp_path_factory.mktemp("log"))


def test_rerun_does_nothing_and_other_parameters_are_refused(tmp_path, log):
    first = build_examples(options(log[0], tmp_path / "a"))
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    assert build_examples(options(log[0], tmp_path / "a")) == first
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    with pytest.raises(UserInputError, match="history_length was 50, now 9"):
        build_examples(options(log[0], tmp_path / "a", history_length=9))
    other = logs.write_log(tmp_path / "other", log[1][:-1])
    with pytest.raises(UserInputError, match="events was"):
        build_examples(options(other, tmp_path / "a"))
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}


def test_what_a_killed_job_left_does_not_matter(tmp_path, log, monkeypatch):
    build_examples(options(log[0], tmp_path / "a"))
    closing = partition_shards.PartitionShards.close

    def killed(self):
        if self._partition == 1:
            raise KeyboardInterrupt("killed")
        return closing(self)

    with monkeypatch.context() as patch:
        patch.setattr(partition_shards.PartitionShards, "close", killed)
        with pytest.raises(BaseException, match="killed"):
            build_examples(options(log[0], tmp_path / "b", partitions=3))
    assert not (tmp_path / "b").exists()
    (tmp_path / "b.building").mkdir(exist_ok=True)
    (tmp_path / "b.building" / "train-00009-of-00010.tfrecord").write_text("stale")
    build_examples(options(log[0], tmp_path / "b"))
    assert shard_hashes(tmp_path / "a") == shard_hashes(tmp_path / "b")
    assert not (tmp_path / "b.building").exists()
    assert sorted(os.listdir(tmp_path / "b")) == sorted(os.listdir(tmp_path / "a"))


@pytest.mark.guarantee("foreign", "build_examples")
def test_a_folder_that_is_no_data_set_is_left_alone(tmp_path, log):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserInputError, match="no data set"):
        build_examples(options(log[0], tmp_path / "mine"))
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_bad_rows_are_quarantined_with_reasons(tmp_path):
    rows = logs.random_rows(7, events=40)
    rows = [dict(row, click=float(row["click"])) for row in rows]
    bad = {
        "user_id is null": {"user_id": None},
        "item_id is null": {"item_id": None},
        "timestamp is null": {"timestamp": None},
        "timestamp is negative or after 2200": {"timestamp": -5},
        "click is null": {"click": None},
        "click is NaN or infinite": {"click": float("nan")},
        "click is not 0 or 1": {"click": 3.0},
        "rating is NaN or infinite": {"rating": float("inf")},
    }
    places = {}
    for number, (reason, change) in enumerate(bad.items()):
        places[2 + 4 * number] = reason
        rows[2 + 4 * number] = {**rows[2 + 4 * number], **change}
    folder = logs.write_log(tmp_path / "log", rows, files=1)
    manifest = build_examples(
        options(folder, tmp_path / "a", behavior_type="rating >= 4", max_bad_fraction=0.5)
    )
    assert manifest["counts"]["quarantined"] == dict.fromkeys(bad, 1)
    assert add_up(manifest) == len(rows)
    lines = [
        json.loads(line)
        for path in sorted((tmp_path / "a" / "quarantine").iterdir())
        for line in path.read_text().splitlines()
    ]
    assert {line["row"]: line["reason"] for line in lines} == places
    assert lines[0]["file"] == "part-0.parquet"
    assert lines[0]["values"]["item_id"] == rows[2]["item_id"]
    with pytest.raises(UserInputError, match="8 of 40 rows are bad") as caught:
        build_examples(options(folder, tmp_path / "b", behavior_type="rating >= 4"))
    assert str(tmp_path / "b.rejected" / "quarantine") in str(caught.value)
    assert os.listdir(tmp_path / "b.rejected" / "quarantine")
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "b.building").exists()


def test_bad_vectors_are_quarantined(tmp_path, log):
    vectors = logs.random_embeddings(0, ITEMS, 5, missing=0)
    vectors["item-5"] = (np.array([1, np.nan, 0, 0, 0], np.float32), None)
    folder = logs.write_embeddings(tmp_path / "e", vectors)
    manifest = build_examples(
        options(log[0], tmp_path / "a", embeddings={"text": folder}, max_bad_fraction=0.1)
    )
    described = manifest["embedding_sets"]["text"]
    assert described["quarantined"] == {"embedding holds NaN or infinity": 1}
    missing = sum(row["item_id"] == "item-5" for row in {json.dumps(r): r for r in log[1]}.values())
    written = manifest["counts"]["written"]
    assert described["coverage"] == pytest.approx((written - missing) / written)
    line = (tmp_path / "a" / "quarantine" / "embeddings-text.jsonl").read_text()
    assert json.loads(line)["row"] == 5
    with pytest.raises(UserInputError, match="--embeddings text: 1 of 12 rows are bad"):
        build_examples(options(log[0], tmp_path / "b", embeddings={"text": folder}))
