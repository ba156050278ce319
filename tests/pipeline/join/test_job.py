"""The join as a whole: against the oracle, bytes, counts, publishing."""

import collections

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from features.ids import id_table
from features.records import example
from features.schema import ExampleSchema
from pipeline.join.job import build_examples
from pipeline.join.partition import sequences
from tests.pipeline.join import logs, oracle
from tests.pipeline.join.joins import add_up, options, random_log, shard_hashes

ITEMS = [f"item-{number}" for number in range(12)]


def all_records(output):
    return [record for shard in oracle.read_records(output).values() for record in shard]


def counted(records, modalities=(), with_request=False):
    return collections.Counter(
        oracle.comparable(record, modalities, with_request) for record in records
    )


CASES = {
    "plain": {},
    "request_ids": {"request_ids": True},
    "integer_ids": {"text": False},
    "delay": {"delay": 10},
    "available_at": {"times": True},
    "per_user": {"by": "user"},
    "per_user_request_ids": {"by": "user", "request_ids": True, "most": 2},
    "all_events_and_types": {"rule": "all", "kind": True},
    "one_moment": {"moments": 1},
    "one_user_many_partitions": {"users": 1, "partitions": 5},
}


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CASES)
def test_join_equals_the_oracle(tmp_path, name, seed):
    case = CASES[name]
    text, with_request = case.get("text", True), case.get("request_ids", False)
    rows = logs.random_rows(
        seed,
        request_ids=with_request,
        text=text,
        users=case.get("users", 5),
        moments=case.get("moments", 25),
    )
    items = ITEMS if text else list(range(12))
    times = [0, 1_000_050 * 1_000_000, 1_000_100 * 1_000_000] if case.get("times") else None
    embeddings = {
        "text": logs.random_embeddings(seed, items, 6, times=times),
        "image": logs.random_embeddings(seed + 10, items[:8], 3),
    }
    folders = {
        modality: logs.write_embeddings(tmp_path / modality, vectors)
        for modality, vectors in embeddings.items()
    }
    manifest = build_examples(
        options(
            logs.write_log(tmp_path / "log", rows),
            tmp_path / "out",
            embeddings=folders,
            labels=["click"],
            behavior_rule=case.get("rule", "click == 1"),
            behavior_type="rating >= 4" if case.get("kind") else None,
            history_length=4,
            behavior_delay=case.get("delay", 0),
            split_by=case.get("by", "global"),
            max_candidates=case.get("most", 128),
            partitions=case.get("partitions", 3),
        )
    )
    for row in rows:
        row["is_behavior"] = case.get("rule") == "all" or row["click"] == 1
        row["type"] = int(bool(case.get("kind")) and row["rating"] >= 4)
    expected, duplicates = oracle.join(
        rows,
        embeddings,
        length=4,
        delay=case.get("delay", 0),
        by=case.get("by", "global"),
        most=case.get("most", 128),
        unread=() if case.get("kind") else ("rating",),
    )
    assert any(records for records in expected.values())
    for split in ("train", "validation", "test"):
        shards = oracle.read_records(tmp_path / "out", split)
        found = [record for shard in shards.values() for record in shard]
        assert counted(found, embeddings, with_request) == expected.get(
            split, collections.Counter()
        ), split
    assert manifest["counts"]["dropped"]["duplicate"] == duplicates > 0
    assert add_up(manifest) == manifest["counts"]["read"] == len(rows)
    assert oracle.find_leaks(all_records(tmp_path / "out"), rows) == []
    in_train = (
        {item for record in expected["train"] for item in record[6]}
        if "train" in expected
        else set()
    )
    vocabulary = id_table.read_vocabulary(str(tmp_path / "out" / "vocabulary" / "item_id.txt"))
    assert set(vocabulary.tolist()) == in_train


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return random_log(tmp_path_factory.mktemp("log"))


def test_same_input_gives_the_same_bytes_and_manifest(tmp_path, log):
    embeddings = {
        "text": logs.write_embeddings(tmp_path / "e", logs.random_embeddings(0, ITEMS, 5))
    }
    first = build_examples(options(log[0], tmp_path / "a", embeddings=embeddings, partitions=2))
    second = build_examples(options(log[0], tmp_path / "b", embeddings=embeddings, partitions=2))
    assert first == second
    assert shard_hashes(tmp_path / "a") == shard_hashes(tmp_path / "b")
    assert shard_hashes(tmp_path / "a") == {
        name: shard["sha256"] for name, shard in first["shards"].items()
    }


def test_files_and_row_groups_do_not_matter(tmp_path, log):
    _, rows = log
    one = logs.write_log(tmp_path / "one", rows, files=1, row_group_size=1000)
    many = logs.write_log(tmp_path / "many", rows, files=7, row_group_size=3)
    build_examples(options(one, tmp_path / "a", partitions=2))
    build_examples(options(many, tmp_path / "b", partitions=2))
    assert shard_hashes(tmp_path / "a") == shard_hashes(tmp_path / "b")


def test_partitions_only_move_records_between_shards(tmp_path, log):
    build_examples(options(log[0], tmp_path / "a", partitions=1))
    build_examples(options(log[0], tmp_path / "b", partitions=7))
    for split in ("train", "validation", "test"):
        one, seven = (
            counted(r for shard in oracle.read_records(tmp_path / n, split).values() for r in shard)
            for n in ("a", "b")
        )
        assert one == seven
        assert one


def test_no_request_sees_its_own_instant(tmp_path, log):
    build_examples(options(log[0], tmp_path / "a", behavior_rule="all"))
    records = all_records(tmp_path / "a")
    assert sum(len(record["history_item_id"]) for record in records) > 100
    assert all(gap > 0 for record in records for gap in record["history_time_gap"])
    assert oracle.find_leaks(records, log[1]) == []


def test_a_planted_leak_is_caught_in_records(tmp_path, log):
    build_examples(options(log[0], tmp_path / "a", behavior_rule="all"))
    records = all_records(tmp_path / "a")
    victim = next(record for record in records if record["history_item_id"])
    victim["history_item_id"][-1] = victim["candidate_item_id"][0]
    victim["history_time_gap"][-1] = 0
    assert len(oracle.find_leaks(records, log[1])) == 1


def test_a_leaking_sequence_stops_the_job(tmp_path, log, monkeypatch):
    build = sequences.build_requests

    def leaking(*args, **kwargs):
        requests = build(*args, **kwargs)
        later = np.minimum(requests.history_end + 1, len(requests.behaviors))
        return sequences.dataclasses.replace(requests, history_end=later)

    monkeypatch.setattr(sequences, "build_requests", leaking)
    with pytest.raises(Exception, match="own instant"):
        build_examples(options(log[0], tmp_path / "a", behavior_rule="all"))
    assert not (tmp_path / "a").exists()


def test_side_features_context_and_graph_parsing(tmp_path):
    rows = logs.random_rows(5, events=60)
    for number, row in enumerate(rows):
        row["page"] = f"page-{number % 3}" if number % 5 else None
        row["hour"] = float(number % 24)
    items = [
        {"item_id": item, "genres": ["a", "b", "c"][: n % 4], "price": n / 2, "year": 1990 + n}
        for n, item in enumerate(ITEMS[:9])
    ]
    users = [{"user_id": "user-1", "country": "FI"}, {"user_id": "user-2", "country": None}]
    pq.write_table(pa.Table.from_pylist(items), tmp_path / "items.parquet")
    pq.write_table(pa.Table.from_pylist(users), tmp_path / "users.parquet")
    manifest = build_examples(
        options(
            logs.write_log(tmp_path / "log", rows),
            tmp_path / "out",
            items=str(tmp_path / "items.parquet"),
            users=str(tmp_path / "users.parquet"),
            item_features=["genres:categorical:2", "price", "year:numeric"],
            context=["page", "hour"],
            derive_label=["liked = rating >= 4"],
            labels=["liked", "click"],
        )
    )
    schema = ExampleSchema.from_dict(manifest["schema"])
    assert [one.name for one in schema.context_features] == ["page", "hour", "country"]
    by_item = {oracle.int64(row["item_id"]): row for row in items}
    by_user = {oracle.int64(row["user_id"]): row for row in users}
    for record in all_records(tmp_path / "out"):
        for n, item in enumerate(record["candidate_item_id"]):
            row = by_item.get(item, {"genres": [], "price": 0, "year": 0})
            genres = [oracle.int64(genre) for genre in row["genres"]][:2]
            assert record["candidate_genres"][2 * n : 2 * n + 2] == genres + [0] * (2 - len(genres))
            assert record["candidate_price"][n] == row["price"]
            assert record["candidate_year"][n] == row["year"]
        moment, user = record["timestamp"][0] // 1_000_000, record["user_id"][0]
        own = [
            row
            for row in rows
            if oracle.int64(row["user_id"]) == user and row["timestamp"] == moment
        ]
        assert record["context_hour"] == [own[0]["hour"]]
        assert record["context_page"] == [oracle.int64(own[0]["page"]) if own[0]["page"] else 0]
        country = by_user.get(user, {"country": None})["country"]
        assert record["context_country"] == [oracle.int64(country) if country else 0]
        assert set(record["liked"]) <= {0.0, 1.0}
    path = str(tmp_path / "out" / next(iter(manifest["shards"])))
    serialized = next(iter(tf.data.TFRecordDataset(path).batch(100)))
    batch = example.parse_examples(schema, serialized)
    assert batch["candidate_genres"].shape[1:] == (*batch["candidate_mask"].shape[1:], 2)


def test_explicit_splits_drop_what_is_outside(tmp_path, log):
    text = "train:1000000..1000070,test:1000105.."
    manifest = build_examples(options(log[0], tmp_path / "a", splits=text))
    kept = oracle.distinct(log[1], unread=("rating",))
    outside = sum(1_000_070 <= row["timestamp"] < 1_000_105 for row in kept)
    assert manifest["counts"]["dropped"]["outside_splits"] == outside > 0
    assert add_up(manifest) == len(log[1])
    assert set(manifest["splits"]) == {"train", "test"}


def test_manifest_counts_by_split(tmp_path, log):
    vectors = logs.random_embeddings(1, ITEMS, 5)
    folder = logs.write_embeddings(tmp_path / "e", vectors)
    manifest = build_examples(options(log[0], tmp_path / "a", embeddings={"text": folder}))
    histogram = np.array([manifest["similarity"]["text"][f"label_{n}"] for n in (0, 1)])
    expected = np.zeros((2, 256), int)
    for shard in oracle.read_records(tmp_path / "a", "train").values():
        for record in shard:
            codes = np.frombuffer(record["similarity_text"][0], np.uint8)
            for label, row in zip(
                record["click"], codes.reshape(len(record["click"]), -1), strict=True
            ):
                expected[int(label)] += np.bincount(row, minlength=256)
    np.testing.assert_array_equal(histogram, expected)
    for split, counts in manifest["splits"].items():
        records = [
            r for shard in oracle.read_records(tmp_path / "a", split).values() for r in shard
        ]
        assert counts["records"] == len(records)
        assert counts["candidates"] == sum(len(r["candidate_item_id"]) for r in records)
        assert counts["positives"]["click"] == sum(sum(r["click"]) for r in records)
        assert counts["time_range"] == [
            min(r["timestamp"][0] for r in records),
            max(r["timestamp"][0] for r in records),
        ]
        assert sum(counts["history_length"].values()) == counts["requests"]
