"""Parts that wait for labels have together the records of one join, byte for byte."""

import pytest

from features.errors import UserInputError
from tests.pipeline.join import oracle
from tests.pipeline.join.growing.late_clicks import WINDOW, World, records, write_vectors

CLICKS = {"label_logs": True, "labels": ["click", "liked"]}
OF_ROWS = {
    "label_events": ["click = event == 'click'"],
    "attribution_window": {"click": 130},
    "labels": ["click", "liked"],
    "behavior_rule": "click == 1 or liked == 1",
}
CASES = {
    "statistics": {**CLICKS, "statistics": ("rating", "click"), "behavior_delay": 40},
    "labels_alone": {**CLICKS, "downsample_negatives": "click=0.5"},
    "events_of_the_log": {**OF_ROWS, "statistics": ("click", "rating", "liked")},
    "all_behaviors": {
        **OF_ROWS,
        "behavior_rule": "all",
        "behavior_type": ["liked == 1", "click == 1"],
        "statistics": ("rating",),
        "context": ["device"],
        "position_column": "place",
        "weight_column": "worth",
        "behavior_delay": 250,
    },
    "two_labels": {
        "label_events": [
            "order = event == 'click' and place >= 3",
            "click = event == 'click'",
        ],
        "attribution_window": {"order": 220, "click": 60},
        "labels": ["order", "click", "liked"],
        "behavior_rule": "click == 1 or order == 1",
        "statistics": ("order", "click", "rating"),
    },
    "partitions_vary": {**OF_ROWS, "statistics": ("click",), "partitions": (8, 3, 12)},
}
QUICK = ("statistics",)


@pytest.mark.parametrize(
    "case",
    [
        one if one in QUICK else pytest.param(one, marks=pytest.mark.slow(seconds=20))
        for one in CASES
    ],
)
def test_parts_equal_one_join(tmp_path, case):
    world = World(0, parts=7 if case not in QUICK else 5, length=100, crossing=True)
    values = dict(CASES[case])
    manifest = world.grown(tmp_path, waiting=True, **values)
    values.pop("partitions", None)
    one = world.join(tmp_path, None, "whole", **values)
    whole = records(tmp_path / "whole")
    assert sum(whole.values()) > 40
    assert records(tmp_path / "out") == whole
    counts, wanted = manifest["counts"], one["counts"]
    held = counts.pop("held")
    assert held["taken"] == held["left"] > 50
    assert counts["attributed"] == wanted["attributed"]
    assert counts["written"] == wanted["written"]
    assert counts["dropped"]["click_duplicate"] == wanted["dropped"]["click_duplicate"]
    assert counts["dropped"].get("click_after_part", 0) == 0


def test_requests_wait_through_parts_in_which_their_users_do_nothing(tmp_path):
    world = World(0, parts=7, length=30, crossing=True, events=5)
    values = {**CLICKS, "statistics": ("click", "rating"), "partitions": (8,)}
    world.grown(tmp_path, waiting=True, **values)
    world.join(tmp_path, None, "whole", **{**values, "partitions": 3})
    assert records(tmp_path / "out") == records(tmp_path / "whole")


def test_negatives_of_the_last_part_equal_those_of_one_join(tmp_path):
    world = World(1, parts=4, length=100)
    values = {**OF_ROWS, "statistics": ("click", "rating"), "negatives": "popularity:2"}
    manifest = world.grown(tmp_path, waiting=True, **values)
    world.join(tmp_path, None, "whole", **values)
    last = records(tmp_path / "out", "part=p03")
    assert not last - records(tmp_path / "whole")
    # They are drawn once, where the request is written.
    counts = manifest["counts"]
    wanted = 2 * (counts["written"] + counts["dropped"]["outside_splits"])
    assert counts["negatives"]["drawn"] + counts["negatives"]["missing"] == wanted
    assert sum(last.values()) > 10


@pytest.mark.slow(seconds=40)
def test_hourly_parts_equal_one_join(tmp_path):
    world = World(3, parts=24, length=60, crossing=True)
    values = {
        **CLICKS,
        "statistics": ("click", "rating"),
        "behavior_delay": 70,
        "partitions": (8,),
        "embeddings": {"text": write_vectors(tmp_path / "text")},
        "embedding_strategy": "shuffle",
    }
    world.grown(tmp_path, waiting=True, **values)
    world.join(tmp_path, None, "whole", **{**values, "partitions": 3})
    assert records(tmp_path / "out") == records(tmp_path / "whole")


def test_a_request_waits_until_the_windows_of_all_its_candidates_have_ended(tmp_path):
    world = World(5, parts=2, length=1000)
    shown, clicked = world.shown["p00"], world.clicked["p00"]
    row = {**shown[0], "user_id": 99, "timestamp": 995, "device": -1}
    first, second, other = ({**row, "item_id": item} for item in (1, 2, 3))
    first |= {"request_id": 7, "timestamp": 700}
    second |= {"request_id": 7, "timestamp": 995 - WINDOW + 1}
    other |= {"request_id": 8, "timestamp": 995 - WINDOW}
    world.shown["p00"] = [*shown, first, second, other, {**row, "user_id": 98}]
    world.clicked["p00"] = [one for one in clicked if one["timestamp"] <= 995]
    world.join(tmp_path, "p00", wait_for_labels=True, **CLICKS)
    shards = oracle.read_records(tmp_path / "out" / "examples" / "part=p00").values()
    own = [one for shard in shards for one in shard if one["user_id"] == [99]]
    assert [one["candidate_item_id"] for one in own] == [[3]]


def test_a_part_may_have_no_record_yet(tmp_path):
    world = World(2, parts=8, length=20)
    manifest = world.join(tmp_path, "p00", wait_for_labels=True, **CLICKS)
    assert manifest["counts"]["written"] == 0
    assert manifest["splits"] == {}
    again = world.join(tmp_path, "p00", "other", **CLICKS)
    assert again["counts"]["written"] == manifest["counts"]["held"]["left"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"part": None}, "wait_for_labels leaves requests to the next part: give part"),
        ({"label_logs": False}, "wait_for_labels waits for the events of label_events or label_"),
    ],
    ids=str,
)
def test_waiting_without_parts_or_label_events_is_refused(tmp_path, given, message):
    world = World(0, parts=2, length=50)
    values = {**CLICKS, "wait_for_labels": True, "part": "p00", **given}
    part = values.pop("part")
    with pytest.raises(UserInputError, match=message):
        world.join(tmp_path, part, **values)
