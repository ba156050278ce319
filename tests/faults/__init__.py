"""Faults for tests: what happens to a job that is killed, or whose disk or input fails.

- `disks`: `small_disk` and `fill`, a disk with so many bytes left; `read_only`, a folder on a disk
  that cannot be written.
- `injection`: `environment`, in which a Python process is killed, gets an error or loses a file at
  a named point, or as root obeys permission bits. `sitecustomize` does it, in that process.
"""

from tests.faults.disks import fill as fill
from tests.faults.disks import read_only as read_only
from tests.faults.disks import small_disk as small_disk
from tests.faults.injection import environment as environment
