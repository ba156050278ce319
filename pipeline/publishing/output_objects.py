"""An output on an object store: objects under their final names, the manifest last.

Object stores cannot rename, so objects are written under their final names, and the manifest makes
them a data set. While a job writes, or after it was killed, an object `<output>.building` marks
them as incomplete, so that the next job may remove them. There is no lock: of two jobs that write
one output at the same time, the one that began first fails when it completes.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from features.errors import UserInputError
from features.files import locks, manifest, staging, storage
from pipeline.publishing.output_folder import QUARANTINE

_TOKEN = re.compile(rb"process \d+ on .*, [0-9a-f]{32}\n", re.DOTALL)


class OutputObjects:
    """The objects of an output that one job writes.

    Args:
      output: where to publish, a URI.

    Attributes:
      path: the same.
      staging: the same; objects get their final names at once.
    """

    def __init__(self, output: str):
        self.path = self.staging = output.rstrip("/")
        self._marker = f"{self.path}.building"
        self._token = b""

    def is_free(self) -> bool:
        """Whether there are no objects, or only those of a killed job."""
        if storage.is_file(storage.join(self.path, manifest.FILE_NAME)):
            return False
        nothing = not storage.is_file(self.path) and storage.is_empty(self.path)
        return nothing or self._is_left()

    def begin(self) -> None:
        """Removes a killed job's objects and marks the output as incomplete.

        Raises:
          UserInputError: another job has just published there, or it cannot be written.
        """
        if not self.is_free():
            raise UserInputError(f"{self.path!r} was written by another job meanwhile. Run again.")
        if storage.is_file(self._marker) and not self._is_left():
            raise UserInputError(
                f"{self._marker!r} is in the way: jobs use this name, and no job wrote what is "
                "there. Move it away, or choose another --output."
            )
        rejected = storage.join(f"{self.path}.rejected", staging.MARKER)
        if not storage.is_empty(f"{self.path}.rejected") and not storage.is_file(rejected):
            raise UserInputError(
                f"{self.path}.rejected is in the way: jobs use this name, and no job wrote what is "
                f"there (it has no {staging.MARKER}). Move it away, or choose another --output."
            )
        self._token = f"{locks.holder().strip()}, {uuid.uuid4().hex}\n".encode()
        storage.write_bytes(self._marker, self._token)
        storage.remove_folder(self.path)

    def complete(self, values: Mapping[str, Any]) -> None:
        """Writes the manifest.

        Raises:
          UserInputError: another job has begun to write there since.
        """
        self._refuse_another()
        manifest.write_manifest(self.path, values)
        storage.remove_file(self._marker)
        storage.remove_folder(f"{self.path}.rejected")

    def finish(self) -> None:
        """Does nothing: what marks the output lies beside it."""

    def abandon(self) -> str | None:
        """Removes the objects, keeps the quarantine and returns the path of that, if any."""
        if not self._is_mine():
            return None
        kept = None
        quarantine = storage.join(self.path, QUARANTINE)
        if not storage.is_empty(quarantine):
            kept = storage.join(f"{self.path}.rejected", QUARANTINE)
            storage.remove_folder(kept)
            mark = storage.join(f"{self.path}.rejected", staging.MARKER)
            storage.write_bytes(mark, locks.holder().encode())
            for path in storage.list_files(quarantine):
                copy = storage.join(kept, storage.base_name(path))
                storage.write_bytes(copy, storage.read_bytes(path))
        storage.remove_folder(self.path)
        storage.remove_file(self._marker)
        return kept

    def release(self) -> None:
        """Does nothing: there is no lock."""

    def _is_left(self) -> bool:
        """Whether a job marked the output: the object that says so is a job's."""
        if not storage.is_file(self._marker):
            return False
        return _TOKEN.fullmatch(storage.read_bytes(self._marker)) is not None

    def _is_mine(self) -> bool:
        return storage.is_file(self._marker) and storage.read_bytes(self._marker) == self._token

    def _refuse_another(self) -> None:
        if not self._is_mine():
            raise UserInputError(
                f"Another job has begun to write {self.path!r} since this one did. Let one job "
                "write at a time, and run again."
            )
