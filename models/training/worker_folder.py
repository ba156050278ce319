"""Temporary folders of the workers that only take part in writing checkpoints."""

import atexit
import contextlib
import glob
import os
import shutil
import tempfile
import uuid

from features.errors import UserInputError
from features.files import locks

_PREFIX = "dmf-worker-"

_held = contextlib.ExitStack()
atexit.register(_held.close)


def make() -> str:
    """Makes a folder that is removed when this process ends; removes those of killed processes."""
    pattern = os.path.join(glob.escape(tempfile.gettempdir()), f"{_PREFIX}*")
    for folder in glob.glob(pattern):
        if os.path.isdir(folder) and os.access(folder, os.W_OK):
            with contextlib.suppress(UserInputError), locks.locked(folder):
                shutil.rmtree(folder)
    folder = os.path.join(tempfile.gettempdir(), f"{_PREFIX}{uuid.uuid4().hex}")
    _held.enter_context(locks.locked(folder))
    os.mkdir(folder, 0o700)
    _held.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder
