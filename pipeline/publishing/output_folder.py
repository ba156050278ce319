"""An output on a local disk: staged under another name, renamed when complete."""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from features.errors import UserInputError
from features.files import locks, manifest, staging
from features.files.file_system import local_path

QUARANTINE = "quarantine"


class OutputFolder:
    """The output folder of one job, and the staging folder beside it.

    Args:
      output: the folder to publish.

    Attributes:
      path: the folder to publish, absolute; of a symbolic link its target.
      staging: the folder that is written meanwhile, `<output>.building`.
    """

    def __init__(self, output: str):
        # A link is followed: its target is published, and staged beside it.
        self.path = os.path.realpath(local_path(output))
        self.staging = f"{self.path}.building"
        self._rejected = f"{self.path}.rejected"
        self._lock = contextlib.ExitStack()

    def is_free(self) -> bool:
        """Whether the output is absent, or an empty folder."""
        return not os.path.lexists(self.path) or _is_empty_folder(self.path)

    def begin(self) -> None:
        """Locks the output, removes a killed job's files and makes the staging folder.

        Raises:
          UserInputError: another process builds it, or has just published it.
          OSError: it cannot be written.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(locks.locked(self.path))
            if not self.is_free():
                raise UserInputError(
                    f"{self.path!r} was published by another job meanwhile. Run again to see "
                    "whether it is the data set that you want."
                )
            if os.path.ismount(self.path):
                raise UserInputError(
                    f"--output {self.path!r} is where a file system is mounted, which cannot be "
                    "replaced. Give a folder inside it."
                )
            staging.check_leftover(self._rejected)
            staging.begin(self.staging)
            self._lock = stack.pop_all()

    def complete(self, values: Mapping[str, Any]) -> None:
        """Writes the manifest and renames the folder."""
        manifest.write_manifest(self.staging, values)
        staging.publish(self.staging, self.path)
        staging.remove_leftover(self._rejected)

    def finish(self) -> None:
        """Removes what a job that was killed right after it published has left in the output."""
        # It may be on a disk that can only be read, or in the hands of a job that ends just now.
        with contextlib.suppress(OSError, UserInputError):
            if any(map(os.path.exists, (staging.mark_of(self.path), locks.name_of(self.path)))):
                with locks.locked(self.path):
                    staging.unmark(self.path)

    def abandon(self) -> str | None:
        """Removes the staging folder, keeps its quarantine and returns the path of that, if any."""
        kept = None
        quarantine = os.path.join(self.staging, QUARANTINE)
        if os.path.isdir(quarantine) and os.listdir(quarantine):
            kept = os.path.join(self._rejected, QUARANTINE)
            staging.begin(self._rejected)
            os.rename(quarantine, kept)
        staging.remove_leftover(self.staging)
        return kept

    def release(self) -> None:
        """Releases the lock; the system releases that of a killed process."""
        self._lock.close()


def _is_empty_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)
