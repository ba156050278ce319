"""Files and folders, local and on an S3 server: the same behavior by the same functions."""

import os
import socket
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from features.files import storage
from features.files.local_copy import local_copy, remove_local_copy
from tests import faults
from tests.server_process import free_port


@pytest.fixture(params=["local", "file", "s3"])
def root(request, tmp_path):
    if request.param == "s3":
        server = request.getfixturevalue("s3")
        return f"s3://{server.bucket()}/root"
    (tmp_path / "root").mkdir()
    return f"{'file://' if request.param == 'file' else ''}{tmp_path}/root"


@pytest.fixture
def remote(s3):
    return f"s3://{s3.bucket()}/folder"


def test_written_equals_read(root):
    path = storage.join(root, "a b", "ü?#%41.bin")
    data = bytes(range(256)) * 10
    storage.write_bytes(path, data)
    assert storage.read_bytes(path) == data == b"".join(storage.chunks(path))
    assert storage.size(path) == len(data)
    assert storage.is_file(path) and storage.exists(path)
    assert storage.exists(storage.join(root, "a b")) and not storage.is_file(root)
    assert storage.list_files(storage.join(root, "a b")) == [path]
    with storage.open_input(path) as file:
        file.seek(len(data) - 3)
        assert file.read() == b"\xfd\xfe\xff"


def test_files_are_listed_by_name_and_not_those_of_folders_below(root):
    for name in ("b.x", "a.x", "c.y", "below/d.x"):
        storage.write_bytes(storage.join(root, name), b"")
    assert storage.list_files(root, ".x") == [storage.join(root, name) for name in ("a.x", "b.x")]


def test_a_folder_is_removed_with_all_in_it_and_no_other(root):
    for name in ("one/a/b", "one/c", "one-more/d"):
        storage.write_bytes(storage.join(root, name), b"1")
    storage.remove_folder(storage.join(root, "one"))
    storage.remove_folder(storage.join(root, "never-there"))
    assert not storage.exists(storage.join(root, "one"))
    assert storage.is_empty(storage.join(root, "one"))
    assert storage.read_bytes(storage.join(root, "one-more/d")) == b"1"


def test_an_exception_leaves_what_was_there(root):
    path, other = storage.join(root, "a"), storage.join(root, "b")
    storage.write_bytes(path, b"before")
    for target in (path, other):
        with pytest.raises(KeyError), storage.OutputFile(target) as file:
            file.write(b"half")
            raise KeyError
    assert storage.read_bytes(path) == b"before"
    assert storage.list_files(root) == [path]


def test_an_abandoned_file_leaves_nothing(remote):
    storage.OutputFile(f"{remote}/a").__enter__().write(b"x" * 100)
    assert storage.is_empty(remote)


def test_more_than_fits_into_memory_is_uploaded_whole(s3, remote):
    blocks = [bytes([number]) * (6 << 20) for number in range(7)]
    with storage.OutputFile(f"{remote}/large") as file:
        for block in blocks:
            file.write(block)
            assert storage.is_empty(remote)
    assert storage.read_bytes(f"{remote}/large") == b"".join(blocks)


def test_parquet_is_read_alike(root):
    table = pa.table({"a": list(range(100)), "b": [str(n) for n in range(100)]})
    with storage.OutputFile(storage.join(root, "a.parquet")) as file:
        pq.write_table(table, file.stream, row_group_size=30)
    with storage.open_parquet(storage.join(root, "a.parquet")) as file:
        assert file.num_row_groups == 4
        assert file.read_row_group(3).equals(table.slice(90))
        assert file.read().equals(table)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{root}/absent", "is not a folder"),
        ("s3://no-such-bucket-at-all/x", "NO_SUCH_BUCKET.*AWS_ENDPOINT_URL"),
        ("s3://", "names no bucket"),
        ("nosuch://bucket/x", "no such file system.*s3://, gs://"),
    ],
)
def test_what_cannot_be_listed_is_reported(remote, path, message):
    with pytest.raises(UserInputError, match=message):
        storage.list_files(path.format(root=remote))


@pytest.mark.parametrize("function", [storage.read_bytes, storage.size])
def test_an_object_that_is_not_there_is_reported(remote, function):
    with pytest.raises(UserInputError, match="/absent' cannot be used"):
        function(f"{remote}/absent")


def test_a_bucket_that_is_not_there_cannot_be_written(s3):
    with pytest.raises(UserInputError, match="NO_SUCH_BUCKET"):
        storage.write_bytes("s3://no-such-bucket-at-all/x", b"")


def test_a_server_that_is_down_is_reported_soon(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    started = time.monotonic()
    with pytest.raises(UserInputError, match="NETWORK_CONNECTION"):
        storage.list_files("s3://bucket/folder")
    assert time.monotonic() - started < 15


@pytest.mark.slow
def test_a_server_that_says_nothing_does_not_hang_the_job(s3, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(UserInputError, match="Timeout was reached"):
            storage.list_files("s3://bucket/folder")
        assert time.monotonic() - started < 60


@pytest.fixture
def copied(remote, tmp_path, monkeypatch):
    """A remote folder, whose copies go to this test's own temporary folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    storage.write_bytes(f"{remote}/a.npy", b"1")
    storage.write_bytes(f"{remote}/below/b.npy", b"22")
    return remote


def test_a_local_folder_is_its_own_copy(tmp_path):
    assert local_copy(str(tmp_path)) == str(tmp_path)


def test_a_copy_is_made_once_and_removed(copied):
    copy = local_copy(copied)
    found = {name: storage.read_bytes(f"{copy}/{name}") for name in ("a.npy", "below/b.npy")}
    assert found == {"a.npy": b"1", "below/b.npy": b"22"}
    storage.remove_folder(copied)
    assert local_copy(copied) == copy
    assert storage.read_bytes(f"{copy}/a.npy") == b"1"
    remove_local_copy(copied)
    assert not os.listdir(os.path.dirname(copy))
    with pytest.raises(UserInputError, match="holds nothing to copy"):
        local_copy(copied)


def test_a_download_that_was_cut_short_is_not_used(copied):
    copy = local_copy(copied)
    os.rename(copy, f"{copy}.part")
    os.remove(f"{copy}.part/a.npy")
    storage.write_bytes(f"{copy}.part/stale", b"")
    assert sorted(os.listdir(local_copy(copied))) == ["a.npy", "below"]


def test_processes_share_a_copy(copied):
    code = (
        "import os, sys; from features.files.local_copy import local_copy; "
        "copy = local_copy(sys.argv[1]); print(copy, os.stat(copy + '/a.npy').st_ino)"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, copied], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(answers) == 1, "each has the same folder and the same file in it"


def test_threads_share_a_copy(copied):
    copies = []
    threads = [threading.Thread(target=lambda: copies.append(local_copy(copied))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(copies) == 4 and len(set(copies)) == 1


def test_a_full_disk_is_told_by_the_file_and_leaves_the_one_before(tmp_path):
    with faults.small_disk(1) as disk:
        path = disk / "file"
        storage.write_bytes(str(path), b"before")
        faults.fill(disk, 100_000)
        for data in (bytes(200_000), bytes(100_001)):
            with pytest.raises(OSError, match="No space left") as caught:
                storage.write_bytes(str(path), data)
            assert caught.value.filename == str(path)
        assert path.read_bytes() == b"before"
        assert sorted(os.listdir(disk)) == [".filler", "file"]


def test_a_link_to_a_file_is_followed(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to("other/file")
    storage.write_bytes(str(tmp_path / "link"), b"data")
    assert (tmp_path / "other" / "file").read_bytes() == b"data"
    assert (tmp_path / "link").is_symlink()


def test_what_a_killed_process_left_is_removed_and_a_living_ones_file_is_not(tmp_path):
    path = str(tmp_path / "file")
    code = f"from features.files import storage; storage.write_bytes({path!r}, b'killed')"
    for _ in range(2):
        environment = faults.environment("kill before os:replace")
        done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
        assert done.returncode == -9
        assert len(os.listdir(tmp_path)) == 1  # The first one's is gone.
    (tmp_path / "file.mine.tmp").touch()
    with storage.OutputFile(path) as first:
        first.write(b"first")
        storage.write_bytes(path, b"second")
        assert len(os.listdir(tmp_path)) == 3
    assert (tmp_path / "file").read_bytes() == b"first"
    assert sorted(os.listdir(tmp_path)) == ["file", "file.mine.tmp"]
