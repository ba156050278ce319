"""Containers of the built image without a Docker engine, in buildah's chroot isolation.

What a `docker run` holds and this does not: `--cpus`, `--memory` and `--memory-swap` set no limit,
`--stop-timeout` none either, there is no `--init`, and network and process ids are the machine's.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

IMAGE = os.environ.get("WORKER_IMAGE") or "dmf-worker"
USER = "10001:10001"

# What `buildah run` mounts over, and would make itself on a root that is writable.
_MOUNT_POINTS = ("etc/hosts", "etc/resolv.conf", "etc/hostname")
# Names a container among the machine's processes, of which chroot isolation hides none.
_MARK = "TEST_CONTAINER"


def configuration() -> dict:
    """Returns the image's configuration, as Docker reads it.

    Skips where `REQUIRE_IMAGE` is not 1, whatever image there may be: it may be an old one.
    """
    if os.environ.get("REQUIRE_IMAGE") != "1":
        pytest.skip("'make test-image' builds the worker image, as root with buildah, and runs it")
    asked = ["buildah", "inspect", "--type", "image", IMAGE]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert found.returncode == 0, f"no image {IMAGE}: 'make image' builds it: {found.stderr}"
    return json.loads(found.stdout)["Docker"]["config"]


class Container:
    """A container of the image, whose root nobody can write.

    Args:
      name: as buildah calls it.
      root: where its root is mounted.
      options: of every `buildah run`.
      entrypoint: words that come before those of a command.
    """

    def __init__(self, name: str, root: Path, options: Sequence[str], entrypoint: Sequence[str]):
        self.name, self.root, self._options = name, root, options
        self._entrypoint = entrypoint

    def command(self, *words: str, environment: Mapping[str, str] | None = None) -> list[str]:
        """Returns the words that run a command in it, as a `docker run` would."""
        variables = {_MARK: self.name, **(environment or {})}
        given = [f"--env={name}={value}" for name, value in variables.items()]
        options = ["--isolation=chroot", *self._options, *given]
        inside = ["setpriv", "--no-new-privs", *self._entrypoint, *words]
        return ["buildah", "run", *options, self.name, "--", *inside]

    def run(self, *words: str, environment: Mapping[str, str] | None = None):
        """Returns a command that has ended."""
        command = self.command(*words, environment=environment)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)

    def processes(self) -> dict[int, str]:
        """Returns what runs in it: process id to command line."""
        found, mark = {}, f"{_MARK}={self.name}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    line = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(process.name)] = line.decode()
        return found

    def kill(self) -> None:
        """Ends what runs in it."""
        deadline = time.monotonic() + 10
        while (running := self.processes()) and time.monotonic() < deadline:
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.1)


@contextlib.contextmanager
def start(
    volumes: Sequence[str] = (),
    tmpfs: Sequence[str] = (),
    environment: Sequence[str] = (),
    drop: Sequence[str] = ("ALL",),
) -> Iterator[Container]:
    """Makes a container, and removes it with all that runs in it.

    Args:
      volumes: as in `docker run --volume`.
      tmpfs: as in `docker run --tmpfs`.
      environment: as in `docker run --env`.
      drop: as in `docker run --cap-drop`.
    """
    config = configuration()
    name = _output("buildah", "from", IMAGE)
    try:
        root = Path(_output("buildah", "mount", name))
        options = [f"--cap-drop={one}" for one in drop]
        options += [f"--env={one}" for one in environment]
        mounts = []
        for volume in volumes:
            source, target, mode = [*volume.split(":"), "rw"][:3]
            mounts.append(target)
            options.append(f"--volume={source}:{target}:{mode}")
        for volume in tmpfs:
            target, _, given = volume.partition(":")
            mounts.append(target)
            size = "".join(f",tmpfs-{one}" for one in given.split(",") if one)
            options.append(f"--mount=type=tmpfs,destination={target}{size}")
        for point in mounts:
            (root / point.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for point in _MOUNT_POINTS:
            (root / point).touch()
        # `buildah run` has no --read-only. It makes and removes a file in /run, where only root may
        # write.
        mount = ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root / "run")]
        subprocess.run(mount, check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(root)], check=True)
        container = Container(name, root, options, config["Entrypoint"])
        try:
            yield container
        finally:
            container.kill()
            subprocess.run(["umount", str(root / "run")], check=True)
    finally:
        subprocess.run(["buildah", "rm", name], check=True, stdout=subprocess.DEVNULL)


def docker_run(argv: Sequence[str]) -> subprocess.CompletedProcess:
    """Runs what a `docker run` would; an option that is not known here is an error."""
    assert argv[:2] == ["docker", "run"]
    at = argv.index("--")
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    for option in ("volume", "tmpfs", "env", "cap-drop", "security-opt"):
        parser.add_argument(f"--{option}", action="append", default=[])
    parser.add_argument("--read-only", action="store_true", required=True)
    # Not held here, see the top of this file. `start` removes the container.
    for option in ("name", "stop-timeout", "cpus", "memory", "memory-swap"):
        parser.add_argument(f"--{option}")
    for option in ("rm", "init"):
        parser.add_argument(f"--{option}", action="store_true", required=True)
    given, unknown = parser.parse_known_args(argv[2:at])
    assert not unknown, f"{unknown} have no equal here"
    assert given.security_opt == ["no-new-privileges"]
    image, *words = argv[at + 1 :]
    assert image == IMAGE
    with start(given.volume, given.tmpfs, given.env, given.cap_drop) as container:
        return container.run(*words)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
