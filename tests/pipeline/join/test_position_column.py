"""--position_column: where each candidate was shown, in the record of every one."""

import pytest

from features.errors import UserInputError
from features.schema import CANDIDATE_POSITION
from pipeline.join.job import build_examples
from tests.pipeline.join import logs
from tests.pipeline.join.joins import options
from tests.pipeline.join.test_weight_column import records


def position_of(item, moment):
    return (item * 5 + moment) % 9


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    rows = logs.random_rows(4, events=300, text=False)
    rows = [{**one, "place": position_of(one["item_id"], one["timestamp"])} for one in rows]
    return logs.write_log(tmp_path_factory.mktemp("log"), rows)


@pytest.mark.parametrize("values", [{}, {"max_candidates": 2}])
def test_each_candidate_has_the_position_of_its_own_row(tmp_path, log, values):
    manifest = build_examples(options(log, tmp_path / "out", position_column="place", **values))
    assert manifest["schema"]["positioned"] is True
    differing = 0
    for record in records(tmp_path / "out"):
        moment = record["timestamp"][0] // 1_000_000
        expected = [position_of(item, moment) for item in record["candidate_item_id"]]
        assert record[CANDIDATE_POSITION] == expected
        differing += len(set(expected)) > 1
    assert differing


def test_records_are_otherwise_those_without(tmp_path, log):
    plain = build_examples(options(log, tmp_path / "plain"))
    build_examples(options(log, tmp_path / "out", position_column="place"))
    assert "positioned" not in plain["schema"] and "position_column" not in plain["parameters"]
    found = records(tmp_path / "out")
    for record in found:
        del record[CANDIDATE_POSITION]
    assert found == records(tmp_path / "plain")


def test_a_position_that_is_none_goes_to_quarantine(tmp_path):
    rows = logs.random_rows(4, events=60, text=False)
    rows = [{**one, "timestamp": 10 * n, "place": n % 4} for n, one in enumerate(rows)]
    bad = [dict(rows[0], timestamp=5 + k, place=one) for k, one in enumerate((None, -1))]
    log = logs.write_log(tmp_path / "log", rows + bad)
    flags = {"position_column": "place", "max_bad_fraction": 0.1}
    manifest = build_examples(options(log, tmp_path / "out", **flags))
    assert manifest["counts"]["quarantined"] == {"place is null": 1, "place is negative": 1}


def test_an_absent_column_is_refused(tmp_path, log):
    with pytest.raises(UserInputError, match=r"place_no.*0 or more \(--position_column\)"):
        build_examples(options(log, tmp_path / "out", position_column="place_no"))
