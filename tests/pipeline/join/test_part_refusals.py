"""What a data set that grows refuses, and that it stays as it is then."""

import pytest

from features.errors import UserInputError
from tests.pipeline.join import logs
from tests.pipeline.join.three_days import DAY, Source, contents, random_days, write_vectors


@pytest.fixture(scope="module")
def days():
    return random_days(0)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    write_vectors(folder, "1")
    return str(folder)


@pytest.fixture(scope="module")
def grown(tmp_path_factory, days, vectors):
    """A data set of three parts that tests must leave as it is."""
    source = Source(tmp_path_factory.mktemp("grown"), days, True)
    source.grown(embeddings={"text": vectors})
    return source


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
    source = grown
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
    source = grown
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
