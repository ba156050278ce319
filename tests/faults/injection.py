"""Environments in which Python processes fail at named points."""

import os
import shlex
from pathlib import Path


def environment(*faults: str | tuple[object, ...], **variables: str) -> dict[str, str]:
    """Returns this process's environment with faults, for `subprocess.run(..., env=...)`.

    It works with `sys.executable` and with `quick_python`, and in the processes that those start.
    A fault is a line, or its words as a tuple where a path may have blanks:

        kill before pipeline.publishing.output_folder:OutputFolder.complete
        kill after features.files.storage:OutputFile.__exit__ 3
        EIO before os:replace 1+ */manifest.json
        MemoryError after pyarrow.parquet:read_table
        replace before pipeline.join.job:run 1 * TARGET SOURCE
        permissions

    The first word says what happens: SIGKILL; `OSError` with a code of `errno` and the call's
    path; `MemoryError`; the file or folder TARGET is replaced by a copy of SOURCE, or removed if
    SOURCE is absent. It happens before or after a function, which is `module:name`, has been
    called for the n-th time in the process (1 if left out; `3+` is each call from the third), by
    calls that have an argument which matches the pattern (any call if left out). `permissions`
    stands alone: root obeys permission bits.

    A point is a Python function or method that callers look up in its module or class when they
    call it; of modules that are loaded later, the function that everyone gets. The module that
    is run as `__main__` has no points.
    """
    lines = [one if isinstance(one, str) else shlex.join(map(str, one)) for one in faults]
    path = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "FAULTS": "\n".join(lines),
        "PYTHONPATH": os.pathsep.join(one for one in path if one),
        **variables,
    }
