import errno
import os

import pytest

from tests import faults


@pytest.mark.parametrize("left", [0, 4096, 100_000])
def test_a_full_disk_has_as_much_left_as_said(left):
    with faults.small_disk(1) as disk:
        (disk / "before").write_bytes(b"kept")
        faults.fill(disk, left)
        with pytest.raises(OSError) as caught:
            (disk / "large").write_bytes(bytes(left + 4097))
        assert caught.value.errno == errno.ENOSPC
        (disk / "large").unlink()
        (disk / "fits").write_bytes(bytes(left // 4096 * 4096))
        assert (disk / "before").read_bytes() == b"kept"
        (disk / "fits").unlink()
        faults.fill(disk, 500_000)
        (disk / "fits").write_bytes(bytes(490_000))
    assert not disk.exists()


def test_a_small_disk_needs_no_root(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 65534)
    with faults.small_disk(1) as disk:
        faults.fill(disk, 8192)
        (disk / "file").write_bytes(bytes(8192))
        with pytest.raises(OSError, match="No space left on device"):
            (disk / "more").write_bytes(b"more")
    assert not disk.exists()


def test_a_read_only_folder_can_be_written_again(tmp_path):
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    with faults.read_only(folder):
        for path in (folder / "new", folder / "inner" / "new"):
            with pytest.raises(OSError) as caught:
                path.write_bytes(b"")
            assert caught.value.errno in (errno.EROFS, errno.EACCES)
    (folder / "inner" / "new").write_bytes(b"")
