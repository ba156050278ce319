"""A join with other inputs or parameters: refused, or a version of its own beside the first."""

import pytest

from features.errors import UserInputError
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from tests.pipeline.join import logs


@pytest.fixture
def join(tmp_path):
    logs.write_log(tmp_path / "log", logs.random_rows(0))

    def run(**values):
        paths = {"events": str(tmp_path / "log"), "output": str(tmp_path / "out")}
        return build_examples(JoinOptions.from_dict({**paths, **values}))

    return run


def folders(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir() if path.name != "log")


def test_another_parameter_is_refused_or_a_new_version(tmp_path, join):
    first = join()
    with pytest.raises(UserInputError, match=r"history_length was 50, now 7.*--new_version"):
        join(history_length=7)
    second = join(history_length=7, new_version=True)
    third = join(history_length=3, new_version=True)
    assert folders(tmp_path) == ["out", "out-v2", "out-v3"]
    assert [one["parameters"]["history_length"] for one in (first, second, third)] == [50, 7, 3]


def test_a_version_that_is_there_is_used_again(tmp_path, join):
    join()
    second = join(history_length=7, new_version=True)
    before = (tmp_path / "out-v2" / "manifest.json").stat().st_mtime_ns
    assert join(history_length=7, new_version=True) == second
    assert (tmp_path / "out-v2" / "manifest.json").stat().st_mtime_ns == before
    assert join(new_version=True)["parameters"]["history_length"] == 50
    assert folders(tmp_path) == ["out", "out-v2"]


def test_what_is_no_data_set_is_in_the_way(tmp_path, join):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UserInputError, match="is no data set"):
        join(new_version=True)
    assert folders(tmp_path) == ["out"]
