"""--compression gzip: the same records in the same order, in compressed shards."""

import gzip
import hashlib

import pytest

from features.errors import UserInputError
from features.records import record_files
from models.inputs.example_set import ExampleSet
from pipeline.join.job import build_examples
from tests.pipeline.join import logs
from tests.pipeline.join.joins import options, shard_hashes
from tests.pipeline.join.three_days import Source, random_days

PROCESSES = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    rows = logs.random_rows(3, events=600, users=60)
    return logs.write_log(tmp_path_factory.mktemp("log"), rows)


def by_split(folder):
    """The records of each split, in order."""
    examples = ExampleSet.open(str(folder))
    return {
        split: list(record_files.read_all(examples.shards(split)).as_numpy_iterator())
        for split in examples.manifest["splits"]
    }


def test_every_shard_is_the_plain_one_compressed(tmp_path, log):
    plain = build_examples(options(log, tmp_path / "plain", partitions=3))
    found = build_examples(options(log, tmp_path / "gzip", partitions=3, compression="gzip"))
    assert "compression" not in plain["parameters"]
    assert found["parameters"].pop("compression") == "gzip"
    assert found["parameters"] == plain["parameters"] and found["counts"] == plain["counts"]
    assert list(found["shards"]) == [f"{name}.gz" for name in plain["shards"]]
    assert len(shard_hashes(tmp_path / "gzip")) == len(plain["shards"]) > 6
    for name, one in found["shards"].items():
        data = (tmp_path / "gzip" / name).read_bytes()
        assert (one["bytes"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        original = (tmp_path / "plain" / name.removesuffix(".gz")).read_bytes()
        assert gzip.decompress(data) == original and len(data) < len(original)
        assert data[3:8] == bytes(5), "neither a name nor a time"
    assert by_split(tmp_path / "gzip") == by_split(tmp_path / "plain")


def test_it_makes_another_data_set(tmp_path, log):
    build_examples(options(log, tmp_path / "out"))
    with pytest.raises(UserInputError, match="compression was None, now 'gzip'"):
        build_examples(options(log, tmp_path / "out", compression="gzip"))


def test_shards_that_are_put_together_are_read_whole(tmp_path, log):
    build_examples(options(log, tmp_path / "plain", partitions=33))
    values = build_examples(options(log, tmp_path / "gzip", partitions=33, compression="gzip"))
    shards = values["splits"]["train"]["shards"]
    assert len(shards) <= 16 and shards[0] == f"train-00000-of-{len(shards):05d}.tfrecord.gz"
    assert by_split(tmp_path / "gzip") == by_split(tmp_path / "plain")


def test_parts_may_differ(tmp_path):
    source = Source(tmp_path, random_days(0), request_ids=True)
    source.grown("plain")
    for day, compression in (("d1", "none"), ("d2", "gzip"), ("d3", "none")):
        found = source.join(day, compression=compression)
    assert {name[5:7] for name in found["shards"] if name.endswith(".gz")} == {"d2"}
    assert by_split(tmp_path / "out") == by_split(tmp_path / "plain")


@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize("partitions", [5, 20], ids=["apart", "put together"])
def test_processes_write_the_same_bytes(tmp_path, log, partitions):
    for name, beam_args in (("one", ()), ("two", PROCESSES)):
        given = options(log, tmp_path / name, partitions=partitions, compression="gzip")
        build_examples(given, beam_args)
    assert shard_hashes(tmp_path / "one") == shard_hashes(tmp_path / "two")
