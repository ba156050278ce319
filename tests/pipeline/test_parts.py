"""A data set that grows by days against one join of all days."""

import hashlib
import json
import logging
import re

import numpy as np
import pytest

from features import embedding_set, id_table
from features.errors import UserInputError
from models import input_pipeline
from models.example_set import ExampleSet
from pipeline.build_examples import build_examples
from pipeline.join_options import JoinOptions
from tests.pipeline import event_oracle, logs, oracle

DAY = 86_400
DAYS = ("d1", "d2", "d3")
SPLITS = f"train:..{2 * DAY + DAY // 2},validation:{2 * DAY + DAY // 2}..{3 * DAY},test:{3 * DAY}.."
ITEMS = range(100, 125)
WIDTH = 5


def random_days(seed):
    """Returns the rows of three days: users come and go, behaviors sit close to midnight."""
    random = np.random.default_rng(seed)
    days = {}
    for day, name in enumerate(DAYS, 1):
        rows = []
        for _ in range(90):
            user = int(random.integers(9))
            # The first two users are absent in the middle, others on the last or the first day.
            if (day == 2 and user < 2) or (day == 3 and user == 2) or (day == 1 and user == 3):
                continue
            within = int(random.choice([random.integers(DAY), DAY - 1 - random.integers(9) * 7]))
            rows.append(
                {
                    "user_id": user,
                    "item_id": ITEMS[int(random.random() ** 2 * len(ITEMS))],
                    "timestamp": day * DAY + within,
                    "click": int(random.integers(2)),
                    "rating": float(random.integers(1, 6)),
                    "request_id": int(day * 1000 + random.integers(40)),
                }
            )
        rows += [dict(rows[n]) for n in random.integers(len(rows), size=5)]
        # An item of its own, seen early on the day.
        rows.append({**rows[0], "item_id": 200 + day, "timestamp": day * DAY, "request_id": day})
        days[name] = rows
    return days


@pytest.fixture(scope="module")
def days():
    return random_days(0)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    write_vectors(folder, "1")
    return str(folder)


def write_vectors(folder, version):
    values = np.random.default_rng(0).standard_normal((20, WIDTH)).astype(np.float32)
    embedding_set.write_embedding_set(str(folder), np.array(ITEMS[:20]), values, "encoder", version)


class Source:
    """Logs of single days and of all, with or without request ids, and how to join them."""

    def __init__(self, folder, days, request_ids):
        self.folder, self.days = folder, days
        if not request_ids:
            self.days = {
                day: [{k: v for k, v in row.items() if k != "request_id"} for row in rows]
                for day, rows in days.items()
            }
        everything = [row for rows in self.days.values() for row in rows]
        self.logs = {day: self.write(day, rows) for day, rows in self.days.items()}
        self.logs["all"] = self.write("all", everything)

    def write(self, name, rows):
        return logs.write_log(self.folder / f"log-{name}", rows)

    def join(self, day, output="out", **values):
        part = {} if day == "all" else {"part": day}
        return build_examples(
            JoinOptions.from_dict(
                {
                    "events": self.logs[day],
                    "output": str(self.folder / output),
                    "history_length": 6,
                    "partitions": 3,
                    "splits": SPLITS,
                    **part,
                    **values,
                }
            )
        )

    def grown(self, output="out", days=DAYS, **values):
        for day in days:
            manifest = self.join(day, output, **values)
        return manifest


def contents(folder):
    """Returns the hash and the time of change of each file."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def of_parts(folder):
    total = event_oracle.everything(folder / "part=d1")
    return total + sum(
        (event_oracle.everything(folder / f"part={day}") for day in DAYS[1:]), type(total)()
    )


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


@pytest.mark.parametrize("case", CASES)
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


def test_negatives_of_the_last_part_equal_those_of_one_join(tmp_path, days):
    source = Source(tmp_path, days, True)
    values = {"negatives": "popularity:3", "behavior_rule": "click == 1"}
    source.grown(**values)
    source.join("all", "whole", **values)
    whole = event_oracle.everything(tmp_path / "whole", "test")
    assert event_oracle.everything(tmp_path / "out" / "part=d3") == whole
    assert sum(whole.values()) > 20


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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"history_length": 7}, "history_length was 6, now 7"),
        ({"behavior_rule": "all"}, "behavior_rule was 'click == 1', now 'all'"),
        ({"negatives": "uniform:1"}, "negatives was None, now 'uniform:1'"),
        ({"splits": f"train:..{3 * DAY},test:{3 * DAY}.."}, "splits was"),
        ({"embeddings": {}}, "the records' schema was"),
        ({"embeddings": "other"}, "the encoder of text was 'encoder 1', now 'encoder 2'"),
    ],
)
@pytest.mark.parametrize("day", ["d3", "d4"])
def test_a_part_made_otherwise_is_refused(tmp_path, grown, vectors, values, message, day):
    source, _ = grown
    if values.get("embeddings") == "other":
        write_vectors(tmp_path / "other", "2")
        values = {"embeddings": {"text": str(tmp_path / "other")}}
    later = [{**row, "timestamp": row["timestamp"] + DAY} for row in source.days["d3"]]
    source.logs["d4"] = logs.write_log(tmp_path / "d4", later)
    before = contents(source.folder)
    with pytest.raises(UserInputError) as caught:
        source.join(day, **{"embeddings": {"text": vectors}, **values})
    assert message in str(caught.value)
    assert "begin a new data set with another --output" in str(caught.value)
    assert contents(source.folder) == before


def test_another_log_for_a_part_that_is_there_is_refused(tmp_path, grown, vectors):
    source, _ = grown
    before = contents(source.folder / "out")
    log = logs.write_log(tmp_path / "other", source.days["d2"][:-1])
    with pytest.raises(UserInputError, match="holds a data set made otherwise: events was"):
        source.join("d2", embeddings={"text": vectors}, events=log)
    assert contents(source.folder / "out") == before


def test_parts_and_data_sets_without_parts_do_not_mix(tmp_path, days):
    source = Source(tmp_path, days, False)
    source.join("all", "whole")
    source.join("d1", "parts")
    before = contents(tmp_path)
    with pytest.raises(UserInputError, match="holds a data set without parts"):
        source.join("d2", "whole")
    with pytest.raises(UserInputError, match="holds a data set made otherwise"):
        source.join("all", "parts")
    assert contents(tmp_path) == before


def test_a_part_that_fails_changes_nothing(tmp_path, days):
    source = Source(tmp_path, days, False)
    source.join("d1")
    before = contents(tmp_path / "out")
    bad = [{**row, "click": 5} for row in source.days["d2"]]
    with pytest.raises(UserInputError, match="rows are bad"):
        source.join("d2", events=logs.write_log(tmp_path / "bad", bad))
    after = contents(tmp_path / "out")
    kept = {path: one for path, one in after.items() if ".rejected" not in path}
    assert kept == before
    source.join("d2")
    assert not list((tmp_path / "out").glob("*.rejected"))


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
