"""Parts taken out of a data set: the newest one to be joined anew, the oldest for good."""

import shutil

import pytest

from features.errors import UserInputError
from features.files import manifest
from pipeline.join import parts
from tests.pipeline.join.three_days import DAYS, Source, contents, random_days


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """A data set of three parts that tests leave as it is."""
    source = Source(tmp_path_factory.mktemp("joined"), random_days(0), True)
    source.grown()
    return source.folder / "out"


@pytest.fixture
def grown(joined, tmp_path):
    """A copy of it."""
    source = Source(tmp_path, random_days(0), True)
    return source, shutil.copytree(joined, tmp_path / "out")


def names(folder):
    return manifest.read_manifest(str(folder))["parts"]


def hashes(folder):
    return {name: one for name, (one, _) in contents(folder).items()}


def killed(*_, **__):
    raise KeyboardInterrupt


def test_the_newest_part_goes_and_comes_back_with_the_same_bytes(grown):
    source, folder = grown
    before = hashes(folder)
    parts.withdraw(str(folder), "d3")
    assert names(folder) == ["d1", "d2"] and not (folder / "part=d3").exists()
    parts.withdraw(str(folder), "d3")  # It is gone already.
    source.join("d3")
    assert hashes(folder) == before


def test_a_part_that_a_later_one_reaches_back_to_stays(grown):
    _, folder = grown
    before = hashes(folder)
    with pytest.raises(UserInputError, match="'d2' cannot be taken out, because 'd3'"):
        parts.withdraw(str(folder), "d2")
    assert hashes(folder) == before


def test_without_its_only_part_a_data_set_begins_anew(tmp_path):
    source, folder = Source(tmp_path, random_days(0), True), tmp_path / "out"
    source.join("d1")
    before = hashes(folder)
    parts.withdraw(str(folder), "d1")
    assert not (folder / "manifest.json").exists()
    source.join("d1")
    assert hashes(folder) == before


def test_the_oldest_parts_go_and_the_next_one_has_the_same_records(grown, tmp_path):
    _, folder = grown
    other = Source(tmp_path / "short", random_days(0), True)
    other.grown(days=DAYS[:2])
    assert parts.keep_newest(str(tmp_path / "short" / "out"), 1) == ["d1"]
    other.join("d3")
    short = tmp_path / "short" / "out"
    assert names(short) == ["d2", "d3"] and not (short / "part=d1").exists()
    for shard in (folder / "part=d3").glob("*.tfrecord"):
        assert (short / "part=d3" / shard.name).read_bytes() == shard.read_bytes()
    assert parts.keep_newest(str(short), 5) == []


@pytest.mark.parametrize(
    "remove", [parts.withdraw, parts.keep_newest], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("at", ["rename", "rmtree"])
def test_a_killed_removal_leaves_no_half_of_a_part_and_is_finished(grown, monkeypatch, remove, at):
    _, folder = grown
    argument = "d3" if remove is parts.withdraw else 2
    gone = "d3" if remove is parts.withdraw else "d1"
    with monkeypatch.context() as patch:
        module = shutil if at == "rmtree" else parts.os
        patch.setattr(module, at, killed)
        with pytest.raises(KeyboardInterrupt):
            remove(str(folder), argument)
    assert gone not in names(folder)
    whole = folder / f"part={gone}"
    assert not whole.exists() or (whole / "manifest.json").exists()
    remove(str(folder), argument)
    assert [one.name for one in folder.glob(f"part={gone}*")] == []
