"""Several behavior types, and splits that the log itself names, against plain Python."""

import json

import numpy as np
import pytest

from features.errors import UserInputError
from pipeline.join.job import build_examples
from tests.pipeline.join import event_oracle, joins, logs
from tests.pipeline.join.event_oracle import Event


def options(tmp_path, log, **values):
    fixed = {"history_length": 5, "partitions": 3}
    return joins.options(log, tmp_path / "out", **{**fixed, **values})


def random_rows(seed, events=100):
    random = np.random.default_rng(seed)
    rows = logs.random_rows(seed, events=events, moments=40, request_ids=True)
    for row in rows:
        row["split"] = ("train", "validation", "test")[random.integers(3)]
    return rows


def last_that_passes(row):
    rules = (row["rating"] >= 2, row["rating"] >= 4, row["click"] == 0 and row["rating"] < 5)
    return max((number + 1 for number, passes in enumerate(rules) if passes), default=0)


def events_of(rows):
    return [
        Event(
            row["user_id"],
            row["item_id"],
            row["timestamp"],
            (number,),
            row["request_id"],
            behavior=True,
            type=last_that_passes(row),
            split=row["split"],
            labels={"click": row["click"]},
        )
        for number, row in enumerate(rows)
    ]


def test_the_last_type_that_passes_counts_and_the_log_names_the_split(tmp_path):
    rows = random_rows(0)
    manifest = build_examples(
        options(
            tmp_path,
            logs.write_log(tmp_path / "log", rows),
            behavior_rule="all",
            behavior_type=["rating >= 2", "rating >= 4", "click == 0 and rating < 5"],
            split_column="split",
        )
    )
    events, _ = event_oracle.distinct(events_of(rows))
    expected = event_oracle.records(
        events, lambda candidates: candidates[0].split, labels=["click"], length=5
    )
    assert event_oracle.read(tmp_path / "out", ["click"]) == expected
    types = {kind for record in expected for kind in record[5]}
    assert types == {0, 1, 2, 3}
    assert manifest["schema"]["behavior_types"] == 4
    assert all(manifest["splits"][name]["requests"] for name in ("train", "validation", "test"))


def test_a_row_of_no_known_split_is_quarantined(tmp_path):
    rows = random_rows(1, events=40)
    rows[3]["split"], rows[5]["split"] = "holdout", None
    log = logs.write_log(tmp_path / "log", rows, files=1)
    manifest = build_examples(options(tmp_path, log, split_column="split", max_bad_fraction=0.1))
    assert manifest["counts"]["quarantined"] == {
        "split is not train, validation, test": 1,
        "split is null": 1,
    }
    quarantine = (tmp_path / "out" / "quarantine").iterdir()
    lines = [json.loads(line) for path in quarantine for line in path.read_text().splitlines()]
    assert {line["row"] for line in lines} == {3, 5}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split_column": "rating"}, "'rating' is double, expected string"),
        ({"split_column": "fold"}, "no column 'fold'"),
        ({"behavior_type": ["rating >= 4", "stars > 1"]}, "stars"),
        ({"behavior_type": "rating >= 'x'"}, "rating >= 'x'"),
    ],
)
def test_columns_that_do_not_fit_stop_the_job(tmp_path, values, message):
    log = logs.write_log(tmp_path / "log", random_rows(2, events=10))
    with pytest.raises(UserInputError, match=message):
        build_examples(options(tmp_path, log, **values))
    assert not (tmp_path / "out").exists()
