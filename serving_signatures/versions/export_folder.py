"""A model's folder in TF Serving's sense, safe for concurrent and for killed exporters."""

import contextlib
import datetime
import fcntl
import glob
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from absl import logging

from features.errors import UserInputError
from features.files import manifest, storage
from serving_signatures.versions import cache_validity, rollout
from serving_signatures.versions.exported_version import EXTRAS, ExportedVersion, list_files

_BUILDING = ".building-"
_REMOVED = ".removed-"


class ExportFolder:
    """A folder in which complete versions appear by one rename, under numbers never reused.

    An exporter works in a hidden folder and holds a lock on it. The system releases the lock of a
    killed exporter, and the next one removes its folder. Publishing, pruning and changes of
    labels exclude each other by a lock on the whole folder, held for an instant. TF Serving
    ignores names that are no numbers.

    Args:
      path: local; made if absent.
      clock: returns the time at which a version is made, in UTC.

    Attributes:
      path: absolute.
      name: of the model, as in TF Serving's configuration.

    Raises:
      UserInputError: the path is a URI.
    """

    def __init__(
        self,
        path: str,
        clock: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        if storage.is_remote(path):
            raise UserInputError(
                f"--export_dir {path!r} is remote, expected a local folder: a version appears by a "
                "rename, which object stores lack. Copy the version there afterwards."
            )
        self.path = os.path.abspath(path)
        self.name = os.path.basename(self.path)
        self._clock = clock

    @contextlib.contextmanager
    def workspace(self) -> Iterator[str]:
        """Yields an empty staging folder for a version and removes it afterwards.

        Raises:
          UserInputError: the folder cannot be written.
        """
        folder = os.path.join(self.path, f"{_BUILDING}{uuid.uuid4().hex}")
        with self.locked():
            self._remove_leftovers()
            os.mkdir(folder)
            owner = _held(os.path.join(folder, "lock"))
        with owner:
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def publish(self, saved_model: str, values: Mapping[str, Any]) -> ExportedVersion:
        """Completes a SavedModel's manifest and renames it to the next version.

        Args:
          saved_model: a folder in a workspace of this folder.
          values: of the manifest, with `tags`; when it was made, its files and which of the
            newest version's caches stay valid are added.
        """
        values = {**values, "created": self._clock().isoformat(timespec="seconds")}
        values["files"] = list_files(saved_model)
        _sync(saved_model)
        with self.locked():
            while True:
                earlier = max(self.versions(), key=lambda version: version.number, default=None)
                caches = cache_validity.compare(values["tags"], earlier)
                values["caches"] = {
                    one.tag: {
                        "valid": one.valid,
                        "since": one.since,
                        "reason": one.reason,
                        "before": one.before,
                    }
                    for one in caches
                }
                extras = os.path.join(saved_model, EXTRAS)
                manifest.write_manifest(extras, values)
                _sync(extras)
                folder = os.path.join(self.path, str(max(self._numbers(), default=0) + 1))
                try:
                    os.rename(saved_model, folder)
                except OSError:
                    if not os.path.isdir(folder):
                        raise
                    continue  # A program that does not take the lock made this number.
                _sync_entry(self.path)
                return ExportedVersion.read(folder)

    def versions(self) -> list[ExportedVersion]:
        """Returns the versions that `pipeline.export` wrote, ascending."""
        found = []
        for number in self._numbers():
            with contextlib.suppress(UserInputError):
                found.append(ExportedVersion.read(os.path.join(self.path, str(number))))
        return found

    def version(self, number: int) -> ExportedVersion:
        """Returns one version.

        Raises:
          UserInputError: there is none of this number.
        """
        folder = os.path.join(self.path, str(number))
        if not os.path.isdir(folder):
            raise UserInputError(
                f"{self.path!r} has no version {number}; it has {self._numbers() or 'none'}."
            )
        return ExportedVersion.read(folder)

    def remove(self, version: ExportedVersion) -> None:
        """Removes a version at once, for TF Serving too; call it under the lock."""
        hidden = os.path.join(self.path, f"{_REMOVED}{version.number}-{uuid.uuid4().hex}")
        os.rename(version.folder, hidden)
        shutil.rmtree(hidden, ignore_errors=True)

    def clean(self) -> None:
        """Removes the hidden folders of killed exporters."""
        with self.locked():
            self._remove_leftovers()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Excludes other processes that publish, prune or change labels. Not reentrant.

        Raises:
          UserInputError: the folder cannot be written.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            lock = open(os.path.join(self.path, ".lock"), "a")  # noqa: SIM115
        except OSError as error:
            raise UserInputError(f"--export_dir: cannot write {self.path!r}: {error}.") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _numbers(self) -> list[int]:
        names = os.listdir(self.path) if os.path.isdir(self.path) else []
        return sorted(int(name) for name in names if name.isdecimal())

    def _hidden(self, pattern: str) -> list[str]:
        return glob.glob(os.path.join(glob.escape(self.path), pattern))

    def _remove_leftovers(self) -> None:
        """Removes hidden folders without a living owner; owners lock theirs under our lock."""
        for removed in self._hidden(f"{_REMOVED}*"):
            shutil.rmtree(removed, ignore_errors=True)
        for unfinished in self._hidden(f"{rollout.FILE_NAME}.*.tmp"):
            os.remove(unfinished)
        for folder in self._hidden(f"{_BUILDING}*"):
            try:
                with open(os.path.join(folder, "lock"), "r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            except FileNotFoundError:
                pass
            logging.info("Removing %s, the staging folder of a killed export.", folder)
            shutil.rmtree(folder, ignore_errors=True)


def _held(path: str) -> IO[str]:
    """Returns a new lock file, held until it is closed; it names this process."""
    lock = open(path, "x")  # noqa: SIM115
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    lock.flush()
    return lock


def _sync(folder: str) -> None:
    """Flushes a folder to disk, so that a power cut after the rename loses no content."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync_entry(os.path.join(parent, name))
        _sync_entry(parent)


def _sync_entry(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
