"""An output on an object store: objects under their final names, the manifest last.

Object stores cannot rename, so objects are written under their final names, and the manifest makes
them a data set. While a job writes, or after it was killed, an object `<output>.building` marks
them as incomplete, so that the next job may remove them. There is no lock: of two jobs that write
one output at the same time, the one that began first fails when it completes.
"""

import os
import socket
import uuid
from collections.abc import Mapping
from typing import Any

from features.errors import UserInputError
from features.files import manifest, storage
from pipeline.publishing.output_folder import QUARANTINE


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
        return nothing or storage.is_file(self._marker)

    def begin(self) -> None:
        """Removes a killed job's objects and marks the output as incomplete.

        Raises:
          UserInputError: another job has just published there, or it cannot be written.
        """
        if not self.is_free():
            raise UserInputError(f"{self.path!r} was written by another job meanwhile. Run again.")
        maker = f"process {os.getpid()} on {socket.gethostname()}, {uuid.uuid4().hex}\n"
        self._token = maker.encode()
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

    def abandon(self) -> str | None:
        """Removes the objects, keeps the quarantine and returns the path of that, if any."""
        if not self._is_mine():
            return None
        kept = None
        quarantine = storage.join(self.path, QUARANTINE)
        if not storage.is_empty(quarantine):
            kept = storage.join(f"{self.path}.rejected", QUARANTINE)
            storage.remove_folder(kept)
            for path in storage.list_files(quarantine):
                copy = storage.join(kept, storage.base_name(path))
                storage.write_bytes(copy, storage.read_bytes(path))
        storage.remove_folder(self.path)
        storage.remove_file(self._marker)
        return kept

    def release(self) -> None:
        """Does nothing: there is no lock."""

    def _is_mine(self) -> bool:
        return storage.is_file(self._marker) and storage.read_bytes(self._marker) == self._token

    def _refuse_another(self) -> None:
        if not self._is_mine():
            raise UserInputError(
                f"Another job has begun to write {self.path!r} since this one did. Let one job "
                "write at a time, and run again."
            )
