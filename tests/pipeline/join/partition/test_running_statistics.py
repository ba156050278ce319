"""The join's running statistics equal a plain count of the log, and know nothing too early."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from tests.pipeline.join import logs, oracle, statistics_oracle
from tests.pipeline.join.event_oracle import Event, attribute

STATISTICS = ("click", "rating")


def join(folder, rows, name="out", files=2, **values):
    """Returns the records of a joined log, shard by shard."""
    log = logs.write_log(folder / f"log-{name}", rows, files=files)
    options = {
        "events": log,
        "output": str(folder / name),
        "statistics": STATISTICS,
        "behavior_rule": "all",
        "partitions": 3,
        **values,
    }
    build_examples(JoinOptions.from_dict(options))
    shards = oracle.read_records(folder / name)
    return [record for name in sorted(shards) for record in shards[name]]


@pytest.mark.parametrize(
    "given",
    [
        {"partitions": 1},
        {"partitions": 7, "behavior_delay": 10},
        {"max_candidates": 2, "split_by": "user"},
        {"negatives": "popularity:2"},
    ],
    ids=str,
)
@pytest.mark.parametrize("request_ids", [False, True])
def test_records_hold_what_the_log_had_counted(tmp_path, given, request_ids):
    rows = logs.random_rows(len(str(given)), events=300, request_ids=request_ids)
    records = join(tmp_path, rows, **given)
    delay = given.get("behavior_delay", 0)
    expected = statistics_oracle.expected(rows, STATISTICS, records, delay=delay)
    assert statistics_oracle.received(records) == expected
    counts = np.array([context[0] for context, _ in expected])
    assert (counts == 0).any()
    assert counts.max() > 20


@pytest.mark.parametrize("given", [{}, {"partitions": 7, "behavior_delay": 10}], ids=str)
def test_behaviors_have_residuals_of_what_their_items_had_before_them(tmp_path, given):
    rows = logs.random_rows(3, events=300)
    records = join(tmp_path, rows, **given)
    possible = statistics_oracle.residual_codes(rows, STATISTICS[0])
    seen = set()
    for record in records:
        user, moment = record["user_id"][0], record["timestamp"][0] // 1_000_000
        history = (record[f"history_{name}"] for name in ("item_id", "time_gap", "residual"))
        for item, gap, code in zip(*history, strict=True):
            assert code in possible[user, item, moment - gap]
            seen.add(code)
    assert 0 in seen
    assert len(seen) > 20


def test_a_first_event_knows_nothing_and_events_of_one_instant_do_not_see_each_other(tmp_path):
    event = {"user_id": 1, "item_id": 2, "timestamp": 5, "click": 1, "rating": 3.5}
    later = {**event, "timestamp": 6, "click": 0}
    twin = {**event, "user_id": 9}
    records = join(tmp_path, [event, later, dict(event), twin], split_by="user")
    found = {
        (record["user_id"][0], record["timestamp"][0] // 10**6): values
        for record, values in zip(records, statistics_oracle.received(records), strict=True)
    }
    nothing = ([0.0] * 6, [0.0] * 3)
    # The item had no event before the user's first: that has no weight in the residual.
    assert found == {(1, 5): nothing, (9, 5): nothing, (1, 6): ([1, 1, 3.5, 0, 0, 0], [2, 2, 7])}


def test_what_happens_at_or_after_a_request_changes_nothing_in_it(tmp_path):
    rows = logs.random_rows(5, events=200)
    cut = sorted(row["timestamp"] for row in rows)[100]
    changed = []
    for number, row in enumerate(rows):
        if row["timestamp"] >= cut:
            other = {"click": 1 - row["click"], "rating": 6 - row["rating"]}
            changed += [{**row, **other}] * (1 + number % 2)
            changed.append({**row, "user_id": "user-new", "item_id": f"item-{number % 12}"})
        else:
            changed.append(row)

    def known(name, log):
        records = join(tmp_path, log, name)
        return {
            (record["user_id"][0], record["timestamp"][0]): values
            for record, values in zip(records, statistics_oracle.received(records), strict=True)
            if record["timestamp"][0] <= cut * 10**6
        }

    first, second = known("first", rows), known("second", changed)
    newcomer = oracle.int64("user-new")
    for values in (first, second):
        # Of a request at the cut only the candidates may differ, of one before it nothing.
        assert any(time == cut * 10**6 for _, time in values)
    for (user, time), (context, candidates) in second.items():
        if user == newcomer:
            continue
        assert first[user, time][0] == context
        if time < cut * 10**6:
            assert first[user, time][1] == candidates


@pytest.mark.parametrize("delay", [0, 9])
def test_a_label_that_comes_as_an_event_counts_from_its_own_time(tmp_path, delay):
    random = np.random.default_rng(3)
    rows = []
    for _ in range(300):
        kind = "click" if random.random() < 0.4 else "shown"
        rows.append(
            {
                "user_id": int(random.integers(4)),
                "item_id": int(random.integers(5)),
                "timestamp": int(random.integers(90)),
                "event": kind,
                "rating": float(random.integers(1, 6)) / 2,
            }
        )
    records = join(
        tmp_path,
        rows,
        label_events=('click = event == "click"',),
        attribution_window={"click": 30},
        behavior_rule='event == "click"',
        behavior_delay=delay,
    )
    shown, clicks = (
        [row for row in oracle.distinct(rows) if row["event"] == kind]
        for kind in ("shown", "click")
    )
    # In the join's order: of one instant by row; of positions in time the oracle speaks.
    late = {}
    by_time = sorted(range(len(clicks)), key=lambda n: clicks[n]["timestamp"])
    candidates = sorted(range(len(shown)), key=lambda n: shown[n]["timestamp"])
    views = [
        Event(shown[n]["user_id"], shown[n]["item_id"], shown[n]["timestamp"], ())
        for n in candidates
    ]
    for number in by_time:
        click = clicks[number]
        comer = Event(click["user_id"], click["item_id"], click["timestamp"], ())
        positive, _ = attribute(views, [comer], 30, False)
        for place in positive:
            late.setdefault(candidates[place], click["timestamp"])
    expected = statistics_oracle.expected(
        shown, STATISTICS, records, delay=delay, late={"click": late}
    )
    assert statistics_oracle.received(records) == expected
    assert len(late) > 20
    assert any(time > shown[n]["timestamp"] for n, time in late.items())
    labels = sum(sum(record["click"]) for record in records)
    assert labels == len(late)


def test_given_behaviors_do_not_count_and_rows_before_the_first_split_do(tmp_path):
    rows = logs.random_rows(8, events=150, text=False)
    given = pa.table(
        {"user_id": [0, 1], "item_id": [[1, 2, 3], [4]], "timestamp": [[1, 2, 3], [4]]}
    )
    pq.write_table(given, tmp_path / "given.parquet")
    begin = sorted(row["timestamp"] for row in rows)[60]
    records = join(
        tmp_path,
        rows,
        histories=str(tmp_path / "given.parquet"),
        history_length=3,
        splits=f"train:{begin}..{begin + 70},test:{begin + 70}..",
    )
    assert records
    expected = statistics_oracle.expected(rows, STATISTICS, records)
    assert statistics_oracle.received(records) == expected
    assert min(context[0] for context, _ in expected) > 0


def test_neither_partitions_nor_the_way_of_vectors_change_a_record(tmp_path):
    rows = logs.random_rows(2, events=400, moments=6, items=4)
    items = sorted({row["item_id"] for row in rows})
    vectors = logs.write_embeddings(tmp_path / "text", logs.random_embeddings(0, items, 5))
    random = np.random.default_rng(0)
    for row in rows:
        # Sums of these depend on the order in which they are added.
        row["rating"] = float(random.choice([1e17, 1, -1e17, 3]))
    found = []
    for partitions, strategy in ((1, "broadcast"), (4, "shuffle"), (13, "broadcast")):
        records = join(
            tmp_path,
            rows,
            f"{strategy}-{partitions}",
            partitions=partitions,
            embeddings={"text": vectors},
            embedding_strategy=strategy,
        )
        found.append(sorted(map(str, records)))
    assert all(one == found[0] for one in found[1:])


def test_without_statistics_records_and_manifest_are_as_they_were(tmp_path):
    # Rows that differ only in what a statistic reads are duplicates without it.
    rows = oracle.distinct(logs.random_rows(2), unread=("rating",))
    with_them = join(tmp_path, rows, "with")
    without = join(tmp_path, rows, "without", statistics=())
    for record in with_them:
        del record["candidate_running_statistics"], record["context_running_statistics"]
        del record["history_residual"]
    assert with_them == without
    manifest = oracle.manifest(tmp_path / "without")
    assert "statistics" not in json.dumps([manifest["schema"], manifest["parameters"]])
    assert oracle.manifest(tmp_path / "with")["parameters"]["statistics"] == list(STATISTICS)


def test_a_value_that_is_missing_or_not_finite_quarantines_its_row(tmp_path):
    rows = logs.random_rows(4, events=60)
    good = oracle.distinct(rows)
    bad = [{**rows[0], "rating": None}, {**rows[1], "rating": float("nan")}]
    records = join(tmp_path, [*bad, *good], files=1, max_bad_fraction=0.5)
    counts = oracle.manifest(tmp_path / "out")["counts"]["quarantined"]
    assert counts == {"rating is null": 1, "rating is NaN or infinite": 1}
    expected = statistics_oracle.expected(good, STATISTICS, records)
    assert statistics_oracle.received(records) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"statistics": ("price",)}, "no column 'price', expected a number .--statistics; the"),
        ({"statistics": ("item_id",)}, "'item_id' is string, expected a number"),
        ({"statistics": ("click", "click")}, "statistics must be distinct, received"),
    ],
    ids=str,
)
def test_statistics_that_cannot_be_are_refused(tmp_path, given, message):
    with pytest.raises(UserInputError, match=message):
        join(tmp_path, logs.random_rows(0), **given)
    assert not (tmp_path / "out").exists()


def test_a_log_without_timestamps_is_refused(tmp_path):
    rows = logs.random_rows(0, events=20, text=False)
    given = pa.table({"user_id": [0], "item_id": [[1, 2]]})
    pq.write_table(given, tmp_path / "given.parquet")
    for row in rows:
        del row["timestamp"]
    with pytest.raises(UserInputError, match="no column 'timestamp', so nothing says what was"):
        join(tmp_path, rows, histories=str(tmp_path / "given.parquet"), split_by="user")
