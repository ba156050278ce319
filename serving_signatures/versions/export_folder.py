"""A model's folder in TF Serving's sense, safe for concurrent and for killed exporters."""

import contextlib
import datetime
import fcntl
import glob
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from absl import logging

from features.errors import UserInputError
from features.files import locks, manifest, staging, storage
from serving_signatures.versions import cache_validity, rollout
from serving_signatures.versions.exported_version import EXTRAS, ExportedVersion, list_files

_FLAG = "--export_dir"
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
                f"{_FLAG} {path!r} is remote, expected a local folder: a version appears by a "
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
        with contextlib.ExitStack() as owner:
            with self.locked():
                self._remove_leftovers()
                owner.enter_context(locks.locked(folder, _FLAG))
                staging.begin(folder)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def publish(
        self,
        saved_model: str,
        values: Mapping[str, Any],
        verified: Mapping[str, Any] | None = None,
    ) -> ExportedVersion:
        """Completes a SavedModel's manifest and renames it to the next version.

        Args:
          saved_model: a folder in a workspace of this folder.
          values: of the manifest, with `tags`; when it was made, its files and which of the
            newest version's caches stay valid are added.
          verified: `list_files` of what was verified; None for what is there now.

        Raises:
          UserInputError: the files are not those that were verified.
        """
        values = {**values, "created": self._clock().isoformat(timespec="seconds")}
        values["files"] = list_files(saved_model)
        if verified is not None and values["files"] != verified:
            names = {*verified, *values["files"]}
            changed = [one for one in names if verified.get(one) != values["files"].get(one)]
            raise UserInputError(
                f"{min(changed)!r} of the new version was changed in {saved_model!r} after it was "
                "verified. Nothing was published. Let nothing else write there, and export again."
            )
        staging.sync_tree(saved_model)  # The rename is under the lock, which is held briefly.
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
                manifest.write_manifest(os.path.join(saved_model, EXTRAS), values)
                folder = os.path.join(self.path, str(max(self._numbers(), default=0) + 1))
                try:
                    staging.publish(saved_model, folder)
                except OSError:
                    if not os.path.isdir(folder):
                        raise
                    continue  # A program that does not take the lock made this number.
                return ExportedVersion.read(folder)

    def versions(self) -> list[ExportedVersion]:
        """Returns the versions whose manifest can be read, ascending."""
        return [one for one in self.found().values() if isinstance(one, ExportedVersion)]

    def found(self) -> dict[int, ExportedVersion | UserInputError]:
        """Returns each numbered folder's version, or why it is none, ascending by number."""
        found: dict[int, ExportedVersion | UserInputError] = {}
        for number in self._numbers():
            try:
                found[number] = ExportedVersion.read(os.path.join(self.path, str(number)))
            except UserInputError as error:
                found[number] = error
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

    def intact_version(self, number: int | None = None) -> ExportedVersion:
        """Returns an intact version: the one of that number, or the newest.

        Raises:
          UserInputError: it is not there or damaged, or none is intact.
        """
        if number is None:
            for version in reversed(self.versions()):
                if not version.damage():
                    return version
            raise UserInputError(f"No version in {self.path!r} is intact. Export the model again.")
        version = self.version(number)
        damage = version.damage()
        if damage:
            raise UserInputError(
                f"Version {number} is damaged: {'; '.join(damage[:3])}. Take another version, or "
                "export the model again."
            )
        return version

    def remove(self, version: ExportedVersion) -> None:
        """Removes a version at once, for TF Serving too; call it under the lock."""
        hidden = os.path.join(self.path, f"{_REMOVED}{uuid.uuid4().hex}")
        staging.begin(hidden)
        os.rename(version.folder, os.path.join(hidden, str(version.number)))
        staging.remove_leftover(hidden)

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
            raise UserInputError(f"{_FLAG}: cannot write {self.path!r}: {error}.") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _numbers(self) -> list[int]:
        names = os.listdir(self.path) if os.path.isdir(self.path) else []
        return sorted({int(name) for name in names if name.isascii() and name.isdecimal()})

    def _hidden(self, pattern: str) -> list[str]:
        return glob.glob(os.path.join(glob.escape(self.path), pattern))

    def _remove_leftovers(self) -> None:
        """Removes marked folders without a living owner; owners lock theirs under our lock."""
        for unfinished in self._hidden(f"{rollout.FILE_NAME}.*{staging.TEMPORARY}"):
            os.remove(unfinished)
        for removed in self._hidden(f"{_REMOVED}*"):
            staging.remove_leftover(removed)
        for folder in {one.removesuffix(locks.SUFFIX) for one in self._hidden(f"{_BUILDING}*")}:
            # A living exporter has the lock.
            with contextlib.suppress(UserInputError), locks.locked(folder, _FLAG):
                if staging.remove_leftover(folder):
                    logging.info("Removed %s, the staging folder of a killed export.", folder)
