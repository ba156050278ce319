"""Given behavior sequences, with and without times, against plain Python."""

import json

import pytest

from features.errors import UserInputError
from pipeline.join.job import build_examples
from tests.pipeline.join import event_oracle, joins, logs, oracle
from tests.pipeline.join.inputs.given_histories import (
    given_events,
    log_events,
    name,
    random_histories,
    random_log,
    write,
)

LENGTH = 4


def options(tmp_path, log, histories, **values):
    fixed = {"histories": str(histories), "history_length": LENGTH, "partitions": 3}
    return joins.options(log, tmp_path / "out", **{**fixed, **values})


CASES = {
    "untimed": {},
    "untimed_no_behaviors_of_the_log": {"rule": "none"},
    "untimed_integer_ids": {"text": False, "types": 3},
    "untimed_encoded": {"encoded": True},
    "untimed_encoded_no_timestamps": {"encoded": True, "timestamps": False, "rule": "none"},
    "no_timestamps": {"timestamps": False, "rule": "none", "types": 2},
    "no_timestamps_request_ids": {"timestamps": False, "request_ids": True},
    "timed": {"timed": True},
    "timed_delay": {"timed": True, "delay": 5, "types": 2},
    "timed_no_behaviors_of_the_log": {"timed": True, "rule": "none"},
    "timed_request_ids": {"timed": True, "request_ids": True, "text": False},
    "timed_encoded": {"timed": True, "encoded": True},
}


@pytest.mark.parametrize("case", CASES)
def test_given_histories_equal_the_oracle(tmp_path, case):
    case = CASES[case]
    text, timestamps = case.get("text", True), case.get("timestamps", True)
    rows = random_log(0, text, timestamps, case.get("request_ids", False), split=not timestamps)
    types = case.get("types", 1)
    sequences = random_histories(1, text, case.get("timed", False), types)
    rule = case.get("rule", "click == 1")
    manifest = build_examples(
        options(
            tmp_path,
            logs.write_log(tmp_path / "log", rows),
            write(tmp_path / "given", sequences, case.get("encoded", False), text),
            behavior_rule=rule,
            behavior_delay=case.get("delay", 0),
            history_types=types,
            split_column=None if timestamps else "split",
        )
    )
    events = log_events(rows, lambda row: rule != "none" and row["click"] == 1)
    expected = event_oracle.records(
        [*events, *given_events(sequences, LENGTH)],
        event_oracle.by_fractions(events) if timestamps else lambda candidates: candidates[0].split,
        labels=["click"],
        length=LENGTH,
        delay=case.get("delay", 0),
    )
    assert event_oracle.read(tmp_path / "out", ["click"]) == expected
    with_history = {record[1] for record in expected.elements() if record[3]}
    given = {oracle.int64(name("user", user, text)) for user in (0, 1, 3)}
    own = {oracle.int64(one.user) for one in events if one.behavior}
    assert given <= with_history <= given | own
    behaviors = sum(len(one["item_id"]) for one in sequences)
    kept = sum(min(LENGTH, len(one["item_id"])) for one in sequences)
    assert manifest["counts"]["histories"] == {
        "behaviors": behaviors if case.get("timed") else kept,
        "quarantined": {},
    }
    assert manifest["counts"]["read"] == len(rows)


def test_equal_behaviors_of_a_sequence_are_all_kept(tmp_path):
    rows = [{"user_id": "u", "item_id": "a", "timestamp": 10, "click": 1}]
    sequences = [{"user_id": "u", "item_id": ["b", "b", "b"], "timestamp": [5, 5, 5]}]
    log = logs.write_log(tmp_path / "log", rows, files=1)
    build_examples(options(tmp_path, log, write(tmp_path / "given", sequences)))
    ((record,),) = oracle.read_records(tmp_path / "out").values()
    assert record["history_item_id"] == [oracle.int64("b")] * 3


def test_equal_rows_without_timestamps_are_requests_of_their_own(tmp_path):
    rows = [{"user_id": "u", "item_id": "a", "click": 1, "split": "train"}] * 3
    log = logs.write_log(tmp_path / "log", rows, files=1)
    given = write(tmp_path / "given", [{"user_id": "u", "item_id": ["b"]}])
    values = {"behavior_rule": "none", "split_column": "split"}
    manifest = build_examples(options(tmp_path, log, given, **values))
    assert manifest["splits"]["train"]["requests"] == 3
    assert manifest["counts"]["dropped"]["duplicate"] == 0


def test_given_behaviors_are_no_negatives(tmp_path):
    rows = [{"user_id": f"u{n}", "item_id": f"i{n}", "timestamp": 10, "click": 1} for n in range(6)]
    sequences = [
        {"user_id": f"u{n}", "item_id": [f"i{m}" for m in range(6) if m not in (n, 5)]}
        for n in range(5)
    ]
    log = logs.write_log(tmp_path / "log", rows, files=1)
    given = write(tmp_path / "given", sequences)
    build_examples(options(tmp_path, log, given, negatives="uniform:1"))
    found = {}
    for shard in oracle.read_records(tmp_path / "out").values():
        found |= {record["user_id"][0]: record["candidate_item_id"] for record in shard}
    for n in range(5):
        assert found[oracle.int64(f"u{n}")] == [oracle.int64(f"i{n}"), oracle.int64("i5")]


def test_bad_sequences_are_quarantined(tmp_path):
    good = {"user_id": "u", "item_id": ["b"], "timestamp": [5], "type": [1]}
    bad = {
        "user_id is null": {"user_id": None},
        "user_id is empty": {"user_id": ""},
        "item_id is null": {"item_id": None},
        "item_id holds a null": {"item_id": [None]},
        "timestamp and item_id differ in length": {"timestamp": [1, 2]},
        "timestamp holds a null": {"timestamp": [None]},
        "timestamp is negative or after 2200": {"timestamp": [-1]},
        "timestamp is not ascending (oldest first)": {
            "item_id": ["b", "c"],
            "timestamp": [6, 5],
            "type": [0, 0],
        },
        "type and item_id differ in length": {"type": []},
        "type holds a null": {"type": [None]},
        "type is not in [0, 2) (--history_types)": {"type": [2]},
    }
    sequences = [{**good, **change} for change in bad.values()]
    sequences.insert(3, good)
    rows = [{"user_id": "u", "item_id": "a", "timestamp": 10, "click": 1}]
    log = logs.write_log(tmp_path / "log", rows, files=1)
    given = write(tmp_path / "given", sequences)
    values = {"history_types": 2, "max_bad_fraction": 0.95}
    manifest = build_examples(options(tmp_path, log, given, **values))
    counts = manifest["counts"]["histories"]
    assert counts == {"behaviors": 1, "quarantined": dict.fromkeys(bad, 1)}
    ((record,),) = oracle.read_records(tmp_path / "out").values()
    assert (record["history_item_id"], record["history_type"]) == ([oracle.int64("b")], [1])
    quarantine = (tmp_path / "out" / "quarantine").iterdir()
    lines = [json.loads(line) for path in quarantine for line in path.read_text().splitlines()]
    assert sorted(line["reason"] for line in lines) == sorted(bad)
    by_row = {line["row"]: line["reason"] for line in lines}
    reasons = list(bad)
    assert by_row == {n + (n >= 3): reason for n, reason in enumerate(reasons)}
    with pytest.raises(UserInputError, match="--histories: 11 of 12 rows are bad"):
        other = {**values, "max_bad_fraction": 0.5}
        build_examples(options(tmp_path / "other", log, given, **other))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_id": "b"}, "'item_id' is string, expected a list of ids"),
        ({"item_id": [1]}, "'item_id' is a string in .* and an integer in"),
        ({"user_id": 1}, "'user_id' is a string in .* and an integer in"),
        ({"timestamp": [0.5]}, "'timestamp' is list<.*double>.*expected a list of integers"),
        ({"type": ["x"]}, "'type' is list<.*string>.*expected a list of integers"),
        ({"split": 1}, "'split' is int64, expected string"),
        ({"split": "train"}, "each sequence is of one split.*Give --split_column"),
    ],
)
def test_columns_that_do_not_fit_the_log_are_refused(tmp_path, change, message):
    rows = [{"user_id": "u", "item_id": "a", "timestamp": 10, "click": 1}]
    log = logs.write_log(tmp_path / "log", rows, files=1)
    sequence = {"user_id": "u", "item_id": ["b"], **change}
    given = logs.write_log(tmp_path / "given", [sequence], files=1)
    with pytest.raises(UserInputError) as caught:
        build_examples(options(tmp_path, log, given))
    assert str(tmp_path / "given") in str(caught.value)
    caught.match(message)
    assert not (tmp_path / "out").exists()


def test_a_log_without_timestamps_needs_given_histories(tmp_path):
    rows = [{"user_id": "u", "item_id": "a", "click": 1}]
    log = logs.write_log(tmp_path / "log", rows, files=1)
    with pytest.raises(UserInputError, match="'timestamp'"):
        build_examples(joins.options(log, tmp_path / "out"))
