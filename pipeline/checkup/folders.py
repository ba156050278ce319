"""What can be done with a folder: tried, not read from its permissions."""

import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

_TRIAL_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Folder:
    """A local folder that a job would write to.

    Attributes:
      path: as it was given.
      tried: the folder itself, or the nearest above it that exists: jobs make the rest.
      failure: of the trial, in words; empty when all went well.
      free: bytes that this user may still write there.
    """

    path: str
    tried: str
    failure: str
    free: int


def try_out(path: str) -> Folder:
    """Writes a file, publishes its folder by a rename as jobs do, and removes both."""
    tried = Path(path.removeprefix("file://")).absolute()
    while not tried.exists() and tried != tried.parent:
        tried = tried.parent
    failure = ""
    try:
        building = Path(tempfile.mkdtemp(prefix=".doctor-", dir=tried))
        published = building.with_name(f"{building.name}.published")
        try:
            with open(building / "trial", "wb") as file:
                file.write(bytes(_TRIAL_BYTES))
                file.flush()
                os.fsync(file.fileno())
            building.rename(published)
        finally:
            for folder in (building, published):
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        failure = error.strerror or str(error)
    return Folder(path, str(tried), failure, shutil.disk_usage(tried).free)
