"""What a data set that grows refuses, and that it stays as it is then."""

import json
import shutil
from pathlib import Path

import pytest

from features.errors import UserInputError
from tests import faults, manifests, quick_python
from tests.pipeline.join import logs
from tests.pipeline.join.three_days import (
    DAY,
    SPLITS,
    Source,
    contents,
    random_days,
    write_vectors,
)


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


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def _swap(path):
    other = next(one for one in path.parent.iterdir() if one.suffix != path.suffix or one < path)
    path.write_bytes(other.read_bytes())


DAMAGED = (
    "state/state-00001-of-00003.parquet",
    "state/item_counts.bin",
    "vocabulary/item_id.txt",
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, days):
    """A data set of two parts whose state has items too."""
    source = Source(tmp_path_factory.mktemp("drawn"), days, False)
    source.grown(days=("d1", "d2"), negatives="uniform:1")
    return source


def _copied(source, folder):
    copy = Source(folder, source.days, False)
    shutil.copytree(source.folder / "out", folder / "out")
    return copy


@pytest.mark.parametrize("damage", [_flip, _cut, _swap, Path.unlink])
@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.guarantee("damaged", "build_examples")
def test_a_damaged_file_of_the_part_before_is_refused(tmp_path, drawn, name, damage):
    source = _copied(drawn, tmp_path)
    path = tmp_path / "out" / "part=d2" / name
    if damage is _swap and name.startswith("vocabulary"):
        path.with_name("another").write_text("1\n")
    damage(path)
    before = contents(tmp_path / "out")
    with pytest.raises(UserInputError, match=r"join that part and those after it again") as caught:
        source.join("d3", negatives="uniform:1")
    assert repr(str(path)) in str(caught.value)
    assert contents(tmp_path / "out") == before


@pytest.mark.guarantee("replaced", "build_examples")
def test_a_state_that_changes_during_the_join_is_refused(tmp_path, drawn):
    _copied(drawn, tmp_path)
    state = tmp_path / "out" / "part=d2" / DAMAGED[0]
    other = state.with_name("state-00000-of-00003.parquet")
    before = contents(tmp_path / "out" / "part=d1")
    done = quick_python.run_job(
        "pipeline.build_examples",
        *("--part=d3", f"--events={tmp_path / 'log-d3'}", f"--output={tmp_path / 'out'}"),
        *("--history_length=6", "--partitions=3", f"--splits={SPLITS}", "--negatives=uniform:1"),
        env=faults.environment(
            ("replace", "before", "pipeline.join.transform:read_results", 1, "*", state, other)
        ),
    )
    assert done.returncode == 2, done.stderr
    assert f"'{state}' changed while it was read" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out" / "part=d3").exists()
    assert contents(tmp_path / "out" / "part=d1") == before


def test_a_part_of_an_earlier_version_is_read(tmp_path, drawn):
    source = _copied(drawn, tmp_path)
    (tmp_path / "whole").mkdir()
    wanted = _copied(drawn, tmp_path / "whole").join("d3", negatives="uniform:1")
    part = manifests.earlier(tmp_path / "out/part=d2/manifest.json", without=["item_counts"])
    for one in part["state"].values():
        del one["bytes"]
    (tmp_path / "out/part=d2/manifest.json").write_text(json.dumps(part))
    assert source.join("d3", negatives="uniform:1")["shards"] == wanted["shards"]
    counts = tmp_path / "out/part=d2/state/item_counts.bin"
    shutil.rmtree(tmp_path / "out/part=d3")
    counts.write_bytes(counts.read_bytes()[:-7])
    with pytest.raises(UserInputError, match=r"item_counts\.bin' has \d+ bytes: it was cut"):
        source.join("d3", negatives="uniform:1")
