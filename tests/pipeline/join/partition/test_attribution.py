"""Labels that arrive as rows of their own: which candidate they set, and what becomes of them."""

import collections

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.join.job import build_examples
from pipeline.join.partition import attribution
from tests.pipeline.join import event_oracle, joins, logs, oracle
from tests.pipeline.join.event_oracle import Event

BEGIN = 1_000_000


def points():
    small = st.integers(0, 2)
    return st.lists(st.tuples(small, small, small, st.integers(0, 9)), max_size=14)


def shown(rows, by_request):
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    user, item, request, time = columns
    return attribution.Shown(user, item, request if by_request else None, time)


@settings(max_examples=400)
@given(points(), points(), st.integers(0, 6), st.booleans())
# The edge of the window, two candidates of an item, a tie of both.
@example([(0, 0, 0, 1)], [(0, 0, 0, 4), (0, 0, 0, 5)], 3, True)
@example([(0, 0, 0, 1), (0, 0, 1, 3)], [(0, 0, 0, 4), (0, 0, 1, 4)], 3, True)
@example([(0, 0, 0, 1), (0, 0, 0, 1)], [(0, 0, 0, 1)], 0, False)
def test_attribution_equals_a_search_of_all_pairs(candidates, comers, window, by_request):
    found = attribution.attribute(shown(candidates, by_request), shown(comers, by_request), window)
    slow = [
        [Event(user, item, time, (n,), request) for n, (user, item, request, time) in rows]
        for rows in (enumerate(candidates), enumerate(comers))
    ]
    positive, fates = event_oracle.attribute(*slow, window, by_request)
    assert set(np.flatnonzero(found.positive).tolist()) == positive
    assert [attribution.OUTCOMES[code] for code in found.outcome] == fates


def test_the_window_ends_inclusively_and_the_latest_candidate_counts():
    candidates = shown([(1, 7, 0, 100), (1, 7, 0, 200)], False)
    comers = shown([(1, 7, 0, 150), (1, 7, 0, 299), (1, 7, 0, 300), (1, 7, 0, 301)], False)
    found = attribution.attribute(candidates, comers, 100)
    outcomes = [attribution.OUTCOMES[code] for code in found.outcome]
    assert outcomes == ["attributed", "attributed", "duplicate", "late"]
    assert found.positive.tolist() == [True, True]


def test_request_ids_on_one_side_only_are_refused():
    rows = [(1, 1, 1, 1)]
    with pytest.raises(ValueError, match="or neither"):
        attribution.attribute(shown(rows, True), shown(rows, False), 1)


def options(tmp_path, log, **values):
    fixed = {"history_length": 4, "partitions": 3}
    return joins.options(log, tmp_path / "out", **{**fixed, **values})


def random_log(seed, request_ids, impressions=120):
    """Returns impressions and what followed them, by kind, with every fate among them.

    Clicks and conversions never share an instant, so that their order is certain although they
    may come from two logs.
    """
    random = np.random.default_rng(seed)
    rows = collections.defaultdict(list)
    for _ in range(impressions):
        row = {
            "user_id": f"user-{random.integers(4)}",
            "item_id": f"item-{random.integers(8)}",
            "timestamp": BEGIN + 3 * int(random.integers(200)),
        }
        if request_ids:
            row["request_id"] = int(random.integers(40))
        rows["view"].append(row)
        for number, (kind, share) in enumerate((("click", 0.6), ("conversion", 0.3)), 1):
            while random.random() < share:
                after = 3 * int(random.choice([0, 1, 10, 20, 40, -30])) + number
                follower = {**row, "timestamp": row["timestamp"] + after}
                if random.random() < 0.1:
                    follower["item_id"] = "item-none"
                rows[kind].append(follower)
    for own in rows.values():
        own += [dict(own[n]) for n in random.integers(len(own), size=6)]
        random.shuffle(own)
    return rows


def events_of(rows, role, file=0, **values):
    return [
        Event(
            row["user_id"],
            row["item_id"],
            row["timestamp"],
            (file, number),
            row.get("request_id"),
            role,
            **values,
        )
        for number, row in rows
    ]


def check(manifest, output, events, windows, by_request, labels, read):
    distinct, duplicates = event_oracle.distinct(events)
    kept, fates = event_oracle.attribute_labels(distinct, windows, by_request)
    expected = event_oracle.records(
        kept, event_oracle.by_fractions(events), labels=labels, length=4
    )
    assert event_oracle.read(output, labels) == expected
    counts = manifest["counts"]
    dropped = {"duplicate": duplicates, "outside_splits": 0}
    for label, fate in fates.items():
        assert min(fate[name] for name in event_oracle.FATES) > 0, f"no case of each: {fate}"
        dropped |= {f"{label}_{name}": fate[name] for name in event_oracle.FATES[1:]}
    assert counts["attributed"] == {label: fate["attributed"] for label, fate in fates.items()}
    assert counts["dropped"] == dropped
    assert counts["read"] == read
    written = sum(one.role == event_oracle.CANDIDATE for one in kept)
    assert counts["written"] == written
    assert read == written + sum(counts["attributed"].values()) + sum(dropped.values())
    positives = collections.Counter()
    for split in manifest["splits"].values():
        positives.update(split["positives"])
    assert dict(positives) == counts["attributed"]


@pytest.mark.parametrize("request_ids", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_clicks_within_one_log(tmp_path, seed, request_ids):
    rows = random_log(seed, request_ids)
    merged = [{**row, "event": kind} for kind in ("view", "click") for row in rows[kind]]
    np.random.default_rng(seed).shuffle(merged)
    log = logs.write_log(tmp_path / "log", merged)
    manifest = build_examples(
        options(
            tmp_path,
            log,
            label_events=["click = event == 'click'"],
            attribution_window={"click": 61},
        )
    )
    numbered = list(enumerate(merged))
    events = events_of([one for one in numbered if one[1]["event"] == "view"], "candidate")
    events += events_of(
        [one for one in numbered if one[1]["event"] == "click"], "click", behavior=True
    )
    check(
        manifest,
        tmp_path / "out",
        events,
        {"click": 61},
        {"click": request_ids},
        ["click"],
        len(merged),
    )


@pytest.mark.parametrize(
    ("log_has_requests", "labels_have"), [(True, True), (True, False), (False, True)]
)
def test_labels_of_logs_of_their_own(tmp_path, log_has_requests, labels_have):
    rows = random_log(2, True)
    keep = {"view": log_has_requests, "click": labels_have, "conversion": True}
    for kind, has in keep.items():
        if not has:
            for row in rows[kind]:
                del row["request_id"]
    folders = {kind: logs.write_log(tmp_path / kind, own, files=1) for kind, own in rows.items()}
    manifest = build_examples(
        options(
            tmp_path,
            folders["view"],
            label_logs={name: folders[name] for name in ("click", "conversion")},
            attribution_window={"click": 31, "conversion": 62},
            behavior_rule="click == 1 or conversion == 1",
            behavior_type=["conversion == 1"],
        )
    )
    if not log_has_requests:
        for row in rows["view"]:
            row.pop("request_id", None)
    events = events_of(enumerate(rows["view"]), "candidate")
    events += events_of(enumerate(rows["click"]), "click", behavior=True)
    events += events_of(enumerate(rows["conversion"]), "conversion", behavior=True, type=1)
    check(
        manifest,
        tmp_path / "out",
        events,
        {"click": 31, "conversion": 62},
        {"click": log_has_requests and labels_have, "conversion": log_has_requests},
        ["click", "conversion"],
        sum(map(len, rows.values())),
    )


def test_a_behavior_is_known_from_the_click_on_not_from_the_impression(tmp_path):
    rows = [
        {"user_id": "u", "item_id": item, "timestamp": time, "event": event}
        for item, time, event in (
            ("a", 10, "view"),
            ("b", 20, "view"),
            ("a", 30, "click"),
            ("c", 30, "view"),
            ("d", 40, "view"),
        )
    ]
    log = logs.write_log(tmp_path / "log", rows, files=1)
    build_examples(options(tmp_path, log, label_events=["click = event == 'click'"]))
    shards = oracle.read_records(tmp_path / "out").values()
    by_time = {r["timestamp"][0] // 10**6: r for shard in shards for r in shard}
    assert by_time[10]["click"] == [1.0]
    history = {time: record["history_item_id"] for time, record in by_time.items()}
    assert history == {10: [], 20: [], 30: [], 40: [oracle.int64("a")]}
    assert by_time[40]["history_time_gap"] == [10]


def test_by_default_a_day_counts(tmp_path):
    day = 86_400
    rows = [{"user_id": user, "item_id": "a", "timestamp": 0} for user in ("in", "out")]
    clicks = [{"user_id": "in", "item_id": "a", "timestamp": day}]
    clicks.append({"user_id": "out", "item_id": "a", "timestamp": day + 1})
    log, click = logs.write_log(tmp_path / "log", rows), logs.write_log(tmp_path / "c", clicks)
    manifest = build_examples(options(tmp_path, log, label_logs={"click": click}))
    assert manifest["counts"]["attributed"] == {"click": 1}
    assert manifest["counts"]["dropped"]["click_late"] == 1


def test_bad_rows_of_every_log_are_quarantined_apart(tmp_path):
    rows = [{"user_id": "u", "item_id": f"i-{n}", "timestamp": n} for n in range(8)]
    bad = {"user_id": None, "item_id": "bad", "timestamp": 5}
    log = logs.write_log(tmp_path / "log", [*rows, bad, bad], files=1)
    click = logs.write_log(tmp_path / "click", [*rows, {**bad, "item_id": "bad click"}], files=1)
    manifest = build_examples(
        options(tmp_path, log, label_logs={"click": click}, max_bad_fraction=0.5)
    )
    assert manifest["counts"]["quarantined"] == {"user_id is null": 3}
    # A row of one log is no duplicate of an equal row of the other.
    assert manifest["counts"]["attributed"] == {"click": 8}
    assert manifest["counts"]["written"] == 8
    folder = tmp_path / "out" / "quarantine"
    lines = [line for path in folder.iterdir() for line in path.read_text().splitlines()]
    assert len(lines) == 3
    assert sum("bad click" in line for line in lines) == 1
