"""Small disks, and folders on disks that cannot be written."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_FILLER = ".filler"


@contextlib.contextmanager
def small_disk(mib: int) -> Iterator[Path]:
    """Yields the folder of an empty disk of its own, which is gone afterwards with its content.

    Root mounts it. Others look at it through a process in a user namespace; a test is skipped
    where the system allows neither.

    Args:
      mib: its size; a file takes whole pages of 4 KiB.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="disk-"))
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "tmpfs", folder]
        if os.getuid() == 0:
            _run(mount)
            stack.callback(_unmount, folder)
            yield Path(folder)
            return
        script = 'mount -t tmpfs -o "size=$1m" tmpfs "$2" && echo mounted && exec cat'
        command = ["unshare", "-Urm", "sh", "-c", script, "sh", str(mib), folder]
        holder = stack.enter_context(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
        if holder.stdout.readline() != b"mounted\n":
            pytest.skip(f"no small disk: {holder.stderr.read().decode().strip()}")
        yield Path(f"/proc/{holder.pid}/root", folder.lstrip("/"))
        holder.stdin.close()


def fill(folder: Path, left: int) -> None:
    """Makes a disk of `small_disk` as full as said, or empties it again up to that.

    Args:
      folder: the disk's.
      left: bytes that can be written then, rounded down to pages.
    """
    filler = folder / _FILLER
    filler.unlink(missing_ok=True)
    system = os.statvfs(folder)
    size = (system.f_bavail - left // system.f_frsize) * system.f_frsize
    with open(filler, "wb") as file:
        if size > 0:
            os.posix_fallocate(file.fileno(), 0, size)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Keeps a folder, and all that is below it, from being written, by root too."""
    if os.getuid() == 0:
        _run(["mount", "--bind", folder, folder])
        try:
            _run(["mount", "-o", "remount,ro,bind", folder])
            yield
        finally:
            _unmount(folder)
        return
    modes = {path: path.stat().st_mode for path in [folder, *folder.rglob("*")] if path.is_dir()}
    try:
        for path, mode in modes.items():
            path.chmod(mode & ~0o222)
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")


def _unmount(folder: str | Path) -> None:
    # Lazily: a process that the test started may still have a file open.
    subprocess.run(["umount", "--lazy", folder], check=True)
