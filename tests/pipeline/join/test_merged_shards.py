"""Small shards that are put together: the same bytes in the same order, and fewer files."""

import glob
import gzip
import hashlib
import os
import zlib

import numpy as np
import pytest
import tensorflow as tf

from features.errors import RetryError
from pipeline.join import merged_shards
from pipeline.join.job import build_examples
from pipeline.join.merged_shards import merge_small
from pipeline.publishing.shards import shard_name
from tests.pipeline.join import joins, logs


def write(folder, split, sizes):
    """Writes shards of random bytes, and returns their entries."""
    random = np.random.default_rng(len(sizes))
    entries = {}
    for number, size in enumerate(sizes):
        name, data = shard_name(split, number, len(sizes)), random.bytes(size)
        (folder / name).write_bytes(data)
        entries[name] = {
            "split": split,
            "sha256": hashlib.sha256(data).hexdigest(),
            "records": number,
            "bytes": size,
            "first_time": 100 - number,
            "last_time": 100 + number,
        }
    return entries


def content(folder, names):
    return b"".join((folder / name).read_bytes() for name in sorted(names))


@pytest.mark.parametrize(
    "sizes", [[5] * 17, [1, 1000] * 40, [0, 7] * 30, range(100), [9000] + [1] * 50]
)
def test_the_bytes_of_a_split_stay_as_they_are(tmp_path, sizes):
    entries = write(tmp_path, "train", sizes)
    before = content(tmp_path, entries)
    found = merge_small(str(tmp_path), entries)
    assert content(tmp_path, found) == before
    assert sorted(os.listdir(tmp_path)) == sorted(found) and len(found) <= 16
    assert list(found) == [shard_name("train", number, len(found)) for number in range(len(found))]
    for name, one in found.items():
        data = (tmp_path / name).read_bytes()
        assert (one["bytes"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    for total in ("bytes", "records"):
        assert sum(one[total] for one in found.values()) == sum(e[total] for e in entries.values())
    assert min(one["first_time"] for one in found.values()) == 101 - len(sizes)
    assert max(one["last_time"] for one in found.values()) == 99 + len(sizes)


def test_shards_become_about_equal(tmp_path):
    found = merge_small(str(tmp_path), write(tmp_path, "test", [100] * 64))
    assert [one["bytes"] for one in found.values()] == [400] * 16


def test_only_the_split_with_small_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(merged_shards, "_SMALL_BYTES", 64)
    monkeypatch.setattr(merged_shards, "_WANTED_BYTES", 128)
    large, small = write(tmp_path, "train", [64] * 40), write(tmp_path, "test", [63] * 40)
    found = merge_small(str(tmp_path), {**large, **small})
    assert {name: found[name] for name in large} == large
    # 40 x 63 bytes are 19 shards of 128 and more, none of less than half.
    sizes = [one["bytes"] for one in found.values() if one["split"] == "test"]
    assert len(sizes) == 19 and min(sizes) >= 64


@pytest.mark.parametrize("sizes", [[5] * 17, [0, 7] * 30, [90_000] + [1] * 50])
def test_compressed_shards_become_one_gzip_member(tmp_path, sizes):
    # A reader of TensorFlow may end where a member does.
    entries, contents = {}, []
    for name, one in write(tmp_path, "train", sizes).items():
        contents.append((tmp_path / name).read_bytes())
        data = gzip.compress(contents[-1], 1)
        (tmp_path / name).unlink()
        (tmp_path / f"{name}.gz").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        entries[f"{name}.gz"] = {**one, "bytes": len(data), "sha256": sha256}
    found = merge_small(str(tmp_path), entries, "tfrecord.gz")
    assert sorted(os.listdir(tmp_path)) == sorted(found) and len(found) <= 16
    plain = []
    for name, one in found.items():
        data, member = (tmp_path / name).read_bytes(), zlib.decompressobj(zlib.MAX_WBITS | 16)
        plain.append(member.decompress(data))
        assert member.eof and not member.unused_data
        assert (one["bytes"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert b"".join(plain) == b"".join(contents)


@pytest.mark.parametrize("count", [1, 2, 16])
def test_few_shards_stay_apart(tmp_path, count):
    entries = write(tmp_path, "train", [5] * count)
    assert merge_small(str(tmp_path), entries) == entries


def test_a_shard_that_a_disk_has_changed(tmp_path):
    entries = write(tmp_path, "train", [5] * 20)
    (tmp_path / shard_name("train", 7, 20)).write_bytes(b"other")
    with pytest.raises(RetryError, match=r"train-00007-of-00020.tfrecord' is not what was written"):
        merge_small(str(tmp_path), entries)


@pytest.mark.parametrize("data", [b"other", gzip.compress(b"other")], ids=["no gzip", "gzip"])
def test_a_compressed_shard_that_a_disk_has_changed(tmp_path, data):
    entries = {f"{name}.gz": one for name, one in write(tmp_path, "train", [5] * 20).items()}
    for name in entries:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(RetryError, match=r"train-00000-of-00020.tfrecord.gz' is not what was wri"):
        merge_small(str(tmp_path), entries, "tfrecord.gz")


def test_a_join_in_more_partitions_has_the_same_records(tmp_path):
    log = logs.write_log(tmp_path / "log", logs.random_rows(3, events=600, users=60))
    found = {}
    for partitions in (1, 16, 33):
        options = joins.options(log, tmp_path / str(partitions), partitions=partitions)
        values = build_examples(options)
        assert max(len(split["shards"]) for split in values["splits"].values()) <= 16
        shards = glob.glob(str(tmp_path / str(partitions) / "*.tfrecord"))
        assert sorted(map(os.path.basename, shards)) == sorted(values["shards"])
        found[partitions] = sorted(tf.data.TFRecordDataset(shards).as_numpy_iterator())
    assert found[1] == found[16] == found[33]
