import os

import pytest

from features.errors import UserInputError
from features.files import checked, stamps, storage

REMEDY = "Join again."


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "shard"
    path.write_bytes(bytes(range(200)) * 50)
    return path


def test_a_file_that_is_as_expected_passes(file):
    expected = checked.fingerprint(str(file))
    assert set(expected) == {"bytes", "sha256"}
    checked.verify(str(file), expected, REMEDY)
    assert checked.read_bytes(str(file), expected, REMEDY) == file.read_bytes()


@pytest.mark.parametrize("call", [checked.verify, checked.read_bytes])
@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "missing", "folder"])
def test_another_file_is_refused_by_name_with_the_remedy(file, call, damage):
    expected, good = checked.fingerprint(str(file)), file.read_bytes()
    if damage in ("missing", "folder"):
        file.unlink()
        if damage == "folder":
            file.mkdir()
    else:
        flipped = good[:100] + bytes([good[100] ^ 1]) + good[101:]
        file.write_bytes({"cut": good[:-1], "flipped": flipped, "emptied": b""}[damage])
    with pytest.raises(UserInputError) as caught:
        call(str(file), expected, REMEDY)
    assert str(file) in str(caught.value) and REMEDY in str(caught.value)


def test_a_file_replaced_at_equal_size_and_time_is_noticed(file):
    expected, times = checked.fingerprint(str(file)), os.stat(file)
    checked.verify(str(file), expected, REMEDY)
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(UserInputError, match="is damaged or another file"):
        checked.verify(str(file), expected, REMEDY)


@pytest.fixture
def read(monkeypatch):
    """The paths of files that were read to be hashed."""
    calls, original = [], storage.chunks
    monkeypatch.setattr(storage, "chunks", lambda path: (calls.append(path), original(path))[1])
    return calls


def test_an_unchanged_file_is_hashed_once(file, read, monkeypatch):
    monkeypatch.setattr(checked, "_SETTLED_NANOSECONDS", 0)
    for _ in range(3):
        checked.sha256(str(file))
    assert read == [str(file)]


def test_a_file_that_changed_just_now_is_hashed_again(file, read, monkeypatch):
    # A clock that has not ticked since: the file has the stamp of before.
    now = stamps.stamp(str(file))
    monkeypatch.setattr(stamps, "stamp", lambda path: now)
    expected = checked.fingerprint(str(file))
    file.write_bytes(file.read_bytes()[::-1])
    with pytest.raises(UserInputError, match="is damaged or another file"):
        checked.verify(str(file), expected, REMEDY)
    assert len(read) == 2
