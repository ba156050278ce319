"""A data set that grows by days against one join of all days."""

import json
import logging
import re
import shutil

import numpy as np
import pytest

from features.errors import UserInputError
from features.ids import id_table
from models.inputs import input_pipeline
from models.inputs.example_set import ExampleSet
from tests.pipeline.join import event_oracle, logs, oracle
from tests.pipeline.join.three_days import (
    DAY,
    DAYS,
    Source,
    contents,
    of_parts,
    random_days,
    write_vectors,
)


@pytest.fixture(scope="module")
def days():
    return random_days(0)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    write_vectors(folder, "1")
    return str(folder)


CASES = {
    "plain": {},
    "delay": {"behavior_delay": 4000},
    # Longer than a day: what d1's end hides from d2 is seen on d3.
    "long_delay": {"behavior_delay": DAY + 5000, "behavior_rule": "all"},
    "request_ids": {"request_ids": True},
    "types": {"behavior_rule": "all", "behavior_type": ["rating >= 2", "rating >= 4"]},
    "short_history": {"history_length": 1, "behavior_delay": 30},
    "label_events": {"label_events": ["bought = rating > 4"], "labels": ["click", "bought"]},
    "per_part_partitions": {"vary": True},
}
# Those that are left have what these have, too.
SLOW_CASES = ("plain", "delay", "short_history", "per_part_partitions")


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.slow if case in SLOW_CASES else ()) for case in CASES],
)
@pytest.mark.parametrize("strategy", ["broadcast", pytest.param("shuffle", marks=pytest.mark.slow)])
def test_parts_equal_one_join_of_all_days(tmp_path, days, vectors, case, strategy):
    values = dict(CASES[case])
    source = Source(tmp_path, days, values.pop("request_ids", False))
    vary = values.pop("vary", False)
    if "label_events" in values:
        values["attribution_window"] = {"bought": 0}
    values |= {"embeddings": {"text": vectors}, "embedding_strategy": strategy}
    for number, day in enumerate(DAYS):
        manifest = source.join(day, **values, **({"partitions": 1 + number} if vary else {}))
    source.join("all", "whole", **values)
    whole = event_oracle.everything(tmp_path / "whole")
    assert sum(whole.values()) > 100
    assert of_parts(tmp_path / "out") == whole
    one = json.loads((tmp_path / "whole" / "manifest.json").read_text())
    assert manifest["counts"]["dropped"].pop("before_part") == 0
    assert _without_unmatched(manifest["counts"]) == _without_unmatched(one["counts"])
    for split, counts in one["splits"].items():
        same = {k: v for k, v in counts.items() if k != "shards"}
        assert {k: v for k, v in manifest["splits"][split].items() if k != "shards"} == same
    assert manifest["similarity"] == one["similarity"]


def _without_unmatched(counts):
    """A part does not know the candidates of earlier ones: what is late there is unmatched here."""
    dropped = dict(counts["dropped"])
    fates = [dropped.pop(name, 0) for name in ("bought_late", "bought_unmatched")]
    return {**counts, "dropped": {**dropped, "late_or_unmatched": sum(fates)}}


@pytest.mark.parametrize("rule", ["popularity:3", "uniform:2"])
def test_negatives_of_parts_equal_those_of_one_join(tmp_path, days, rule):
    source = Source(tmp_path, days, True)
    values = {"negatives": rule, "behavior_rule": "click == 1"}
    source.grown(**values)
    source.join("all", "whole", **values)
    whole = event_oracle.everything(tmp_path / "whole")
    assert of_parts(tmp_path / "out") == whole
    assert sum(whole.values()) > 100


def test_negatives_of_a_part_avoid_what_users_saw_in_earlier_ones(tmp_path):
    first = [
        {"user_id": user, "item_id": f"item-{n}", "timestamp": DAY + n, "click": 0}
        for n in range(6)
        for user in ("u", *[f"v{n}"])
    ]
    second = [{"user_id": f"w{n}", "item_id": "item-0", "timestamp": 2 * DAY} for n in range(5)]
    third = [{"user_id": "u", "item_id": "new", "timestamp": 3 * DAY + 1}]
    third += [{"user_id": "x", "item_id": "newer", "timestamp": 3 * DAY}]
    later = [[{**row, "click": 0} for row in rows] for rows in (second, third)]
    source = Source(tmp_path, dict(zip(DAYS, (first, *later), strict=True)), False)
    source.grown(negatives="uniform:9")
    found = {
        record["user_id"][0]: record["candidate_item_id"]
        for shard in oracle.read_records(tmp_path / "out" / "part=d3").values()
        for record in shard
    }
    assert sorted(found[oracle.int64("u")]) == sorted(map(oracle.int64, ("new", "newer")))
    # Of items 0 to 5 and "newer" alone "new" is not yet known then.
    assert set(found[oracle.int64("x")]) >= {oracle.int64(f"item-{n}") for n in range(6)}
    assert oracle.int64("new") not in found[oracle.int64("x")]


@pytest.fixture(scope="module")
def grown(tmp_path_factory, days, vectors):
    """A data set of three parts that tests must leave as it is, and its last manifest."""
    folder = tmp_path_factory.mktemp("grown")
    source = Source(folder, days, True)
    before = {}
    for day in DAYS:
        manifest = source.join(day, embeddings={"text": vectors})
        now = contents(folder / "out")
        for path, content in before.items():
            if path != "manifest.json":
                assert now[path] == content, f"{day} touched {path}"
        before = now
    return source, manifest


def test_the_folder_holds_its_parts_and_nothing_else(grown):
    source, manifest = grown
    out = source.folder / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "manifest.json",
        *[f"part={day}" for day in DAYS],
    ]
    assert manifest["parts"] == list(DAYS)
    assert json.loads((out / "manifest.json").read_text()) == manifest
    for name, shard in manifest["shards"].items():
        assert contents(out)[name][0] == shard["sha256"]


@pytest.mark.parametrize("day", DAYS)
def test_a_part_that_is_there_is_not_made_again(grown, vectors, day, caplog):
    source, manifest = grown
    before = contents(source.folder / "out")
    with caplog.at_level(logging.INFO, logger="absl"):
        assert source.join(day, embeddings={"text": vectors}) == manifest
    assert re.search(f"part={day} holds just this data set already: nothing to do", caplog.text)
    after = contents(source.folder / "out")
    assert {path: one[0] for path, one in after.items()} == {
        path: one[0] for path, one in before.items()
    }
    del before["manifest.json"], after["manifest.json"]
    assert after == before


def test_the_vocabulary_of_the_part_before_is_compared_with_its_manifest(tmp_path, days):
    source = Source(tmp_path, days, False)
    source.join(DAYS[0])
    path = tmp_path / "out" / f"part={DAYS[0]}" / "vocabulary" / "item_id.txt"
    ids = path.read_text().split()
    path.write_text("\n".join(ids[1:]) + "\n")
    with pytest.raises(UserInputError, match=r"item_id.txt' is damaged .*join that part and"):
        source.join(DAYS[1])


def test_removed_parts_are_joined_again_in_order(tmp_path, days):
    source = Source(tmp_path, days, False)
    manifest = source.grown()
    wanted = event_oracle.everything(tmp_path / "out" / "part=d3")
    for day in DAYS[1:]:
        shutil.rmtree(tmp_path / "out" / f"part={day}")
    assert source.join("d2")["parts"] == ["d1", "d2"]
    assert source.join("d3") == manifest
    assert event_oracle.everything(tmp_path / "out" / "part=d3") == wanted


@pytest.mark.slow
def test_events_of_earlier_parts_are_dropped_and_counted(tmp_path, days):
    source = Source(tmp_path, days, True)
    values = {"negatives": "popularity:2"}
    source.grown("clean", **values)
    last = max(row["timestamp"] for row in source.days["d1"])
    late = [row for row in source.days["d1"][:30] if row["timestamp"] <= last]
    edge = {**source.days["d1"][0], "timestamp": last, "item_id": 999, "request_id": 1}
    mixed = [*late, *source.days["d2"], edge]
    source.join("d1", **values)
    source.join("d2", events=logs.write_log(tmp_path / "mixed", mixed), **values)
    manifest = source.join("d3", **values)
    assert manifest["counts"]["dropped"]["before_part"] == len(late) + 1
    assert manifest["counts"]["read"] == sum(map(len, source.days.values())) + len(late) + 1
    assert of_parts(tmp_path / "out") == of_parts(tmp_path / "clean")
    old = {**values, "part": "d0", "events": source.logs["d1"]}
    with pytest.raises(UserInputError, match=r"No request was written.*before_part"):
        source.join("d1", **old)


def test_models_read_a_data_set_of_parts(grown):
    source, manifest = grown
    examples = ExampleSet.open(str(source.folder / "out"))
    records = {
        day: oracle.read_records(source.folder / "out" / f"part={day}", "train") for day in DAYS
    }
    names = [f"part={day}/{name}" for day, shards in records.items() for name in shards]
    assert sorted(name.split("/out/")[1] for name in examples.shards("train")) == sorted(names)
    assert {name[:7] for name in names} == {"part=d1", "part=d2"}
    train = [r for shards in records.values() for shard in shards.values() for r in shard]
    items = {item for record in train for item in record["candidate_item_id"]}
    assert set(examples.vocabulary().tolist()) == items
    middle = source.folder / "out" / "part=d1" / "vocabulary" / "item_id.txt"
    assert set(id_table.read_vocabulary(str(middle)).tolist()) < items
    batches = list(input_pipeline.training_batches(examples, "train", 64, 500, 0))
    mask = [batch["candidate_mask"] for batch in batches]
    assert sum(int(np.sum(one)) for one in mask) == manifest["splits"]["train"]["candidates"]
    assert input_pipeline.count_batches(examples, "train", 64) == len(batches)
    evaluation = list(input_pipeline.evaluation_batches(examples, "test"))
    shown = sum(int(np.sum(batch["candidate_mask"])) for batch in evaluation)
    assert shown == manifest["splits"]["test"]["candidates"]
