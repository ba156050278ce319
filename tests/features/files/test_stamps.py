"""A file that was written, replaced or removed is not the one that was opened."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from features.errors import UserInputError
from features.files import stamps, storage


def _written(path: Path) -> None:
    path.write_bytes(b"longer than before")


def _of_equal_size_and_time(path: Path) -> None:
    times = path.stat()
    path.write_bytes(b"other")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _replaced_by_one_of_equal_size_and_time(path: Path) -> None:
    times, other = path.stat(), path.with_name("other")
    other.write_bytes(b"other")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.replace(other, path)


def _replaced_and_put_back(path: Path) -> None:
    aside = path.with_name("aside")
    os.rename(path, aside)
    path.write_bytes(b"other")
    os.replace(aside, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_written, "it had 5 bytes, now 18"),
        (_of_equal_size_and_time, "written or replaced"),
        (_replaced_by_one_of_equal_size_and_time, "written or replaced"),
        (_replaced_and_put_back, "written or replaced"),
        (Path.unlink, "cannot be found any more"),
    ],
)
def test_a_change_is_seen(tmp_path: Path, change: Callable, message: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first")
    before = {str(path): stamps.stamp(str(path))}
    stamps.check(before)
    change(path)
    with pytest.raises(UserInputError, match=rf"log' changed while it was read: .*{message}"):
        stamps.check(before)


def test_reading_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first")
    before = {str(path): stamps.stamp(str(path))}
    path.read_bytes()
    (tmp_path / "beside").write_bytes(b"")
    stamps.check(before)


def test_an_error_that_a_change_explains_is_that_of_the_change(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first")
    before = {str(path): stamps.stamp(str(path))}
    with pytest.raises(ZeroDivisionError), stamps.checked_after(lambda: stamps.check(before)):
        _ = 1 / 0
    with (
        pytest.raises(UserInputError, match="changed while"),
        stamps.checked_after(lambda: stamps.check(before)),
    ):
        path.write_bytes(b"second")
        _ = 1 / 0


def test_an_object_is_known_by_size_and_time(s3) -> None:
    path = f"s3://{s3.bucket()}/log"
    storage.write_bytes(path, b"first")
    before = {path: stamps.stamp(path)}
    stamps.check(before)
    storage.write_bytes(path, b"longer than before")
    with pytest.raises(UserInputError, match="it had 5 bytes, now 18"):
        stamps.check(before)
    storage.remove_file(path)
    with pytest.raises(UserInputError, match="cannot be found any more"):
        stamps.check(before)
