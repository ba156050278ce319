"""The join's running statistics equal a plain count of the log, and know nothing too early."""

import numpy as np
import pytest

from features.errors import UserInputError
from pipeline.build_examples import build_examples
from pipeline.join_options import JoinOptions
from tests.pipeline import logs, oracle, statistics_oracle

STATISTICS = ("click", "rating")


def join(folder, rows, name="out", files=2, **values):
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
