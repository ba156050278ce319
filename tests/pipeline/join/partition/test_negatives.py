"""Negatives: which items are drawn, how often, and that nothing but the log so far decides."""

import collections

import numpy as np
import pytest

from pipeline.join.inputs import item_counts
from pipeline.join.inputs.item_counts import DAY, ItemCounts
from pipeline.join.job import build_examples
from pipeline.join.partition import negatives
from pipeline.join.rules.negatives_rule import NegativesRule
from tests.pipeline.join import event_oracle, joins, logs, oracle

ITEMS = [f"item-{number}" for number in range(30)]


def options(log, output, **values):
    fixed = {"history_length": 4, "partitions": 3, "negatives": "popularity:3"}
    return joins.options(log, output, **{**fixed, **values})


def random_rows(seed, events=200, request_ids=True):
    """Returns rows in which items appear over time, and users see a part of them."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(events):
        time = int(random.integers(60))
        # The later, the more items there are; low numbers are the most popular.
        item = int(random.random() ** 2 * (8 + time * 22 / 60))
        row = {
            "user_id": f"user-{random.integers(6)}",
            "item_id": ITEMS[item],
            "timestamp": 1000 + time,
            "click": int(random.integers(2)),
        }
        if request_ids:
            row["request_id"] = int(random.integers(8)) + 8 * (time // 10)
        rows.append(row)
    return rows


def requests(output):
    """Returns candidates, labels and time by user and request, parts of one put together."""
    found = collections.defaultdict(lambda: ([], [], []))
    for shard in oracle.read_records(output).values():
        for record in shard:
            items, clicks, times = found[record["user_id"][0], record["request_id"][0]]
            items += record["candidate_item_id"]
            clicks += record["click"]
            times[:] = record["timestamp"]
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    rows = random_rows(0)
    return logs.write_log(tmp_path_factory.mktemp("log"), rows), rows


@pytest.fixture(scope="module")
def joined(log, tmp_path_factory):
    """The output and the manifest."""
    output = tmp_path_factory.mktemp("joined") / "out"
    return output, build_examples(options(log[0], output))


def test_negatives_are_neither_seen_nor_new_nor_repeated(log, joined):
    output, manifest = joined
    distinct = list({str(sorted(row.items())): row for row in log[1]}.values())
    by_request = collections.defaultdict(list)
    for row in distinct:
        by_request[oracle.int64(row["user_id"]), row["request_id"]].append(row)
    first_seen = {}
    for row in distinct:
        item = oracle.int64(row["item_id"])
        first_seen[item] = min(first_seen.get(item, row["timestamp"]), row["timestamp"])
    drawn = 0
    found = requests(output)
    assert set(found) == set(by_request)
    for (user, request), (items, clicks, times) in found.items():
        own = by_request[user, request]
        shown = collections.Counter(oracle.int64(row["item_id"]) for row in own)
        added = [item for item in items if item not in shown]
        assert collections.Counter(item for item in items if item in shown) == shown
        assert len(added) == len(set(added)) <= 3 * len(own)
        drawn += len(added)
        positives = sum(row["click"] for row in own)
        assert sum(clicks) == positives
        assert not any(
            click for item, click in zip(items, clicks, strict=True) if item not in shown
        )
        moment, last = times[0] / 1e6, max(row["timestamp"] for row in own)
        seen = {
            oracle.int64(row["item_id"])
            for row in distinct
            if oracle.int64(row["user_id"]) == user and row["timestamp"] <= moment
        }
        assert not seen & set(added)
        assert all(first_seen[item] <= last for item in added)
    rule = manifest["counts"]["negatives"]
    assert rule == {"drawn": drawn, "missing": 3 * len(distinct) - drawn}
    assert drawn > 2 * len(distinct)
    assert manifest["counts"]["written"] == len(distinct)
    totals = [split["candidates"] for split in manifest["splits"].values()]
    assert sum(totals) == len(distinct) + drawn


def test_nothing_is_drawn_before_the_request_that_the_log_shows_later(tmp_path):
    """A request is as early as its first candidate, also for the negatives of later ones."""
    rows = [
        {"user_id": "u", "item_id": "a", "timestamp": 10, "request_id": 1},
        {"user_id": "v", "item_id": "new", "timestamp": 15, "request_id": 2},
        {"user_id": "u", "item_id": "b", "timestamp": 20, "request_id": 1},
    ]
    log = logs.write_log(tmp_path / "log", [{**row, "click": 1} for row in rows])
    build_examples(options(log, tmp_path / "out"))
    found = {key[1]: items for key, (items, _, _) in requests(tmp_path / "out").items()}
    assert found[1] == [oracle.int64("a"), oracle.int64("b")]


@pytest.mark.slow
def test_partitions_files_and_strategy_do_not_matter(tmp_path, log, joined):
    rows = log[1]
    embeddings = {
        "text": logs.write_embeddings(tmp_path / "e", logs.random_embeddings(0, ITEMS, 5))
    }
    many = logs.write_log(tmp_path / "many", rows, files=7, row_group_size=3)
    without = event_oracle.everything(joined[0])
    build_examples(options(many, tmp_path / "many-out", partitions=1))
    assert event_oracle.everything(tmp_path / "many-out") == without
    ways = {
        "a": {"embedding_strategy": "broadcast", "partitions": 1},
        "b": {"embedding_strategy": "shuffle", "partitions": 7},
        "c": {"embedding_strategy": "broadcast", "partitions": 7},
    }
    found = {}
    for name, way in ways.items():
        output = tmp_path / name
        build_examples(options(many, output, embeddings=embeddings, **way))
        found[name] = event_oracle.everything(output)
    assert found["a"] == found["b"] == found["c"]
    bytes_of = [
        {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.tfrecord")}
        for name in ("b", "c")
    ]
    assert bytes_of[0] == bytes_of[1]


def test_cut_requests_hold_the_same_candidates(tmp_path, log, joined):
    manifest = build_examples(options(log[0], tmp_path / "out", max_candidates=2))
    assert dict(requests(tmp_path / "out")) == dict(requests(joined[0]))
    sizes = {
        int(size)
        for split in manifest["splits"].values()
        for size in split["candidates_per_record"]
    }
    assert sizes == {1, 2}


@pytest.mark.parametrize("seed", [1, 2])
def test_negatives_move_no_request_to_another_split(tmp_path, seed):
    log = logs.write_log(tmp_path / "log", random_rows(seed, events=90, request_ids=False))
    by_split = {}
    for name, rule in (("with", "uniform:2"), ("without", None)):
        values = {"split_by": "user", "split_fractions": [0.5, 0.25, 0.25], "negatives": rule}
        build_examples(options(log, tmp_path / name, **values))
        by_split[name] = {
            split: {
                (record["user_id"][0], record["request_id"][0])
                for shard in oracle.read_records(tmp_path / name, split).values()
                for record in shard
            }
            for split in ("train", "validation", "test")
        }
    assert by_split["with"] == by_split["without"]
    assert all(by_split["with"].values())


def test_a_user_who_saw_everything_gets_none(tmp_path):
    rows = [
        {"user_id": "all", "item_id": f"item-{n}", "timestamp": 1000 + n, "click": 1}
        for n in range(10)
    ]
    rows.append({"user_id": "one", "item_id": "item-0", "timestamp": 2000, "click": 1})
    log = logs.write_log(tmp_path / "log", rows)
    manifest = build_examples(options(log, tmp_path / "out", negatives="uniform:12"))
    sizes = {key: len(items) for key, (items, _, _) in requests(tmp_path / "out").items()}
    own = [size for (user, _), size in sizes.items() if user == oracle.int64("all")]
    assert own == [1] * 10
    other = [size for (user, _), size in sizes.items() if user == oracle.int64("one")]
    # Nine items are left; 64 draws may all miss the last one or two.
    assert 8 <= other[0] <= 10
    drawn = other[0] - 1
    counts = manifest["counts"]["negatives"]
    assert counts == {"drawn": drawn, "missing": 11 * 12 - drawn}


def test_a_click_that_no_impression_explains_is_an_interaction_too(tmp_path):
    """Whether label events become behaviors or not, what the user clicked is no negative."""
    rows = [
        {"user_id": f"u-{n}", "item_id": "shown", "timestamp": 100 + n, "event": "view"}
        for n in range(20)
    ]
    rows += [{**row, "item_id": "other", "timestamp": 50, "event": "click"} for row in rows]
    rows.append({"user_id": "w", "item_id": "other", "timestamp": 10, "event": "view"})
    log = logs.write_log(tmp_path / "log", rows)
    rule = ["click = event == 'click'"]
    build_examples(
        options(
            log, tmp_path / "out", label_events=rule, behavior_rule="none", negatives="uniform:1"
        )
    )
    for items, _, _ in requests(tmp_path / "out").values():
        assert oracle.int64("shown") not in items or oracle.int64("other") not in items


def drawn_items(rule, counts, events, seen_items=(), later=None, day=0):
    """Returns the items drawn for as many users as events, each of whom saw the same items.

    Items have `counts` on day 0 and `later` on day 1; the events are of `day`.
    """
    number = np.arange(len(counts)) * 7 - 3
    times = np.zeros(len(counts), np.int64)
    items = ItemCounts.summed(number, np.array(counts), times)
    if later is not None:
        more = ItemCounts.summed(number, np.array(later), times + DAY)
        items = item_counts.merge_all([items, more])
    users = np.arange(events) * 1_000_003
    width = 1 + len(seen_items)
    user = np.repeat(users, width)
    item = np.tile([10**6, *number[list(seen_items)]], events)
    time = np.full(len(user), day * DAY + 5)
    request = np.tile([1, *[0] * len(seen_items)], events)
    seen = negatives.Interactions(user, item, time, request)
    places = np.arange(events) * width
    owner, found = negatives.draw(rule, items, seen, places)
    assert set(owner.tolist()) == set(places.tolist())
    return (found + 3) // 7


@pytest.mark.parametrize(
    ("weighting", "counts", "shares"),
    [
        ("popularity", [1, 2, 3, 4, 30, 60], np.array([1, 2, 3, 4, 30, 60]) / 100),
        ("uniform", [1, 2, 3, 4, 30, 60], np.full(6, 1 / 6)),
    ],
)
def test_frequencies_follow_the_weights(weighting, counts, shares):
    draws = 40_000
    found = drawn_items(NegativesRule(weighting, 1), counts, draws)
    observed = np.bincount(found, minlength=6)
    chi_square = np.sum((observed - draws * shares) ** 2 / (draws * shares))
    # Of 5 degrees of freedom: 20.5 is exceeded once in a thousand.
    assert chi_square < 20.5


@pytest.mark.parametrize(
    ("day", "shares"), [(0, [0.1, 0.2, 0.7]), (1, [0.1, 0.2, 0.7]), (2, [0.8, 0.15, 0.05])]
)
def test_what_sells_from_today_on_makes_nothing_more_likely(day, shares):
    rule = NegativesRule("popularity", 1)
    later = [1590, 280, 30]
    found = drawn_items(rule, [10, 20, 70], 20_000, later=later, day=day)
    observed = np.bincount(found, minlength=3) / 20_000
    np.testing.assert_allclose(observed, shares, atol=0.015)


def test_what_was_seen_is_left_out_and_the_rest_keeps_its_shares():
    rule = NegativesRule("popularity", 1)
    found = drawn_items(rule, [10, 20, 30, 40], 20_000, seen_items=(3,))
    observed = np.bincount(found, minlength=4) / 20_000
    np.testing.assert_allclose(observed, [1 / 6, 2 / 6, 3 / 6, 0], atol=0.015)


def test_draws_of_one_event_are_distinct():
    found = drawn_items(NegativesRule("popularity", 4), [1, 1, 1, 1], 50)
    assert sorted(np.bincount(found)) == [50] * 4
