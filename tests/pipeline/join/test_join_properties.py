"""What holds of any log: no leak, order, counts, and that nothing but the log decides."""

import collections
import json
import pathlib
import tempfile

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from tests.pipeline.join import logs, oracle

ITEMS = [f"item-{number}" for number in range(6)]
SPLITS = ("train", "validation", "test")

EVENT = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from([f"user-{number}" for number in range(4)]),
        "item_id": st.sampled_from([*ITEMS, "unknown"]),
        "timestamp": st.integers(0, 12),
        "request_id": st.integers(0, 3),
        "click": st.integers(0, 1),
    }
)
# Hypothesis's own lists are mostly too short for a history that must be cut.
LOGS = st.lists(EVENT, min_size=25, max_size=50) | st.lists(EVENT, min_size=1, max_size=3)
# A join takes a second: to shrink a failure would take many minutes.
PHASES = (Phase.explicit, Phase.generate)
JOINS = st.fixed_dictionaries(
    {
        "history_length": st.integers(1, 4),
        "behavior_delay": st.integers(0, 3),
        "max_candidates": st.integers(1, 4),
        "split_by": st.sampled_from(["global", "user"]),
        "negatives": st.sampled_from([None, "popularity:2"]),
    }
)


def join(folder, rows, name, files=1, row_group_size=100, **values):
    log = folder / f"log-{name}"
    logs.write_log(log, rows, files=files, row_group_size=row_group_size)
    options = {"events": str(log), "output": str(folder / name), **values}
    manifest = build_examples(JoinOptions.from_dict(options))
    return manifest, folder / name


def vectors(folder):
    return {
        "text": logs.write_embeddings(
            folder / "text", logs.random_embeddings(0, ITEMS, 5, times=[0, 6_000_000])
        )
    }


def records(output):
    """Returns the records of each split, whatever their order."""
    found = {}
    for split in SPLITS:
        shards = oracle.read_records(output, split).values()
        found[split] = collections.Counter(
            oracle.comparable(record, ["text"], True) for shard in shards for record in shard
        )
    return found


def content(output):
    """Returns every file's bytes."""
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file()
    }


@settings(max_examples=15, phases=PHASES)
@given(LOGS, JOINS)
@pytest.mark.slow(seconds=15)
def test_no_record_sees_its_instant_or_later(rows, values):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        manifest, output = join(folder, rows, "out", embeddings=vectors(folder), **values)
        counts = manifest["counts"]
        found = [
            record
            for split in SPLITS
            for shard in oracle.read_records(output, split).values()
            for record in shard
        ]
        assert counts["read"] == len(rows) == counts["written"] + sum(counts["dropped"].values())
        drawn = counts.get("negatives", {}).get("drawn", 0)
        assert (
            sum(len(record["candidate_item_id"]) for record in found) == counts["written"] + drawn
        )
        assert oracle.find_leaks(found, [row for row in rows if row["click"]]) == []
        for record in found:
            gaps = record["history_time_gap"]
            assert len(gaps) <= values["history_length"]
            assert all(gap > values["behavior_delay"] for gap in gaps)
            assert gaps == sorted(gaps, reverse=True)
            assert len(record["similarity_text"][0]) == len(gaps) * len(record["candidate_item_id"])


@settings(max_examples=10, phases=PHASES)
@given(LOGS, JOINS, st.integers(1, 5))
@pytest.mark.slow(seconds=25)
def test_both_strategies_give_the_same_bytes(rows, values, partitions):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        values = {**values, "embeddings": vectors(folder), "partitions": partitions}
        _, one = join(folder, rows, "broadcast", embedding_strategy="broadcast", **values)
        values["events"] = str(folder / "log-broadcast")
        options = {**values, "output": str(folder / "shuffle"), "embedding_strategy": "shuffle"}
        build_examples(JoinOptions.from_dict(options))
        assert content(one) == content(folder / "shuffle")


@settings(max_examples=10, phases=PHASES)
@given(
    LOGS.filter(lambda rows: len(rows) > 1),
    JOINS,
    st.integers(2, 7),
    st.integers(1, 9),
)
@pytest.mark.slow(seconds=25)
def test_partitions_and_files_do_not_decide(rows, values, partitions, row_group_size):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        values["embeddings"] = vectors(folder)
        first, one = join(folder, rows, "one", partitions=1, **values)
        second, many = join(
            folder, rows, "many", 2, row_group_size, partitions=partitions, **values
        )
        assert records(one) == records(many)
        assert first["counts"] == second["counts"]
        for split in first["splits"]:
            for key in ("requests", "candidates", "positives", "history_length"):
                assert first["splits"][split][key] == second["splits"][split][key]


@settings(max_examples=10, phases=PHASES)
@given(st.lists(EVENT, min_size=20, max_size=40, unique_by=lambda row: tuple(row.values())), JOINS)
@pytest.mark.slow(seconds=25)
def test_the_order_of_rows_decides_ties_only(rows, values):
    """Rows of distinct times may come in any order."""
    rows = [{**row, "timestamp": 20 * number} for number, row in enumerate(rows)]
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        values["embeddings"] = vectors(folder)
        first, one = join(folder, rows, "one", partitions=2, **values)
        second, other = join(folder, [rows[i] for i in order], "other", partitions=2, **values)
        assert records(one) == records(other)
        assert json.dumps(first["shards"]) == json.dumps(second["shards"])
