"""What a job refuses by the state of the disk, before it starts: paths that cannot be written.

A job of hours would otherwise find out at its end. The outputs and inputs are those of
`path_rules`. Remote places, and outputs that are complete already, are left to the job.
"""

import contextlib
import os
import stat
from collections.abc import Sequence

from features.errors import UserInputError
from features.files.file_system import is_remote, local_path
from features.files.staging import TEMPORARY
from pipeline.runtime import exit_codes
from pipeline.runtime.path_rules import Place

_SUFFIXES = {"FILE": f".{'0' * 32}{TEMPORARY}", "FOLDER": ".building"}
"""What is added to the name of an output while it is written."""


def check(outputs: Sequence[Place], inputs: Sequence[Place]) -> None:
    """Checks that outputs can be written, and that no file to read is a pipe that may stay empty.

    Nothing is written.

    Raises:
      UserInputError: names the flag, the path and the remedy.
    """
    for given in inputs:
        if given.kind == "FILE" and not is_remote(given.path):
            _check_file_to_read(given, local_path(given.path))
    for output in outputs:
        if is_remote(output.path):
            continue
        try:
            _stat(local_path(output.path))
            _check_output(output, os.path.realpath(local_path(output.path)))
        except OSError as error:
            if (found := exit_codes.of(error)) is None:
                raise
            raise UserInputError(f"{output.name} {found[1]}") from error


def room(outputs: Sequence[Place]) -> str:
    """Returns how much the disks of outputs, and of temporary files, have left."""
    places = [(one.name, local_path(one.path)) for one in outputs if not is_remote(one.path)]
    places.append(("TMPDIR", os.environ.get("TMPDIR", "/tmp")))
    found = []
    for name, path in places:
        try:
            system = os.statvfs(_existing(os.path.realpath(path)))
        except OSError:
            continue
        found.append(f"{name} {path!r} has {system.f_bavail * system.f_frsize >> 20} MiB left")
    return f"{', '.join(found)}."


def _check_file_to_read(given: Place, path: str) -> None:
    # A shell's `<(...)` is a pipe too, below /dev, and somebody writes into it.
    if _is_special(path) and not path.startswith(("/dev/fd/", "/dev/stdin", "/proc/")):
        raise UserInputError(
            f"{given.name} {given.path!r} is a pipe or a device, expected a file. Write its "
            "content into a file."
        )


def _check_output(output: Place, path: str) -> None:
    is_file = output.kind == "FILE"
    _stat(path + _SUFFIXES[output.kind])
    if os.path.isdir(path):
        if is_file:
            raise UserInputError(
                f"{output.name} {output.path!r} is a folder, expected a file to write. Give a "
                "file inside it."
            )
        if os.listdir(path):
            return  # It may be complete.
    elif not is_file and os.path.exists(path):
        raise UserInputError(
            f"{output.name} {output.path!r} is a file, expected a folder or a new path. Choose "
            "another path."
        )
    elif _is_special(path):
        raise UserInputError(
            f"{output.name} {output.path!r} is a pipe or a device, which a job would replace with "
            "a file. Choose another path."
        )
    folder = _existing(os.path.dirname(path) if is_file else path)
    if not os.path.isdir(folder):
        raise UserInputError(
            f"{output.name} {output.path!r}: {folder!r} is a file, expected a folder. Choose "
            "another path."
        )
    system = os.statvfs(folder)
    if system.f_flag & os.ST_RDONLY:
        raise UserInputError(
            f"{output.name} {output.path!r}: the disk of {folder!r} can only be read. Choose a "
            "place that can be written."
        )
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise UserInputError(
            f"{output.name} {output.path!r}: this user may not write into {folder!r}. Allow it, or "
            "choose another place."
        )
    if system.f_bavail == 0 or (system.f_files and not system.f_favail):
        raise UserInputError(
            f"{output.name} {output.path!r}: no space is left on the disk of {folder!r}. Make room "
            "there, or choose a place on another disk."
        )


def _existing(path: str) -> str:
    """Returns the path, or the nearest folder or file above it that exists."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _is_special(path: str) -> bool:
    """Whether there is something at a path that is neither a file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _stat(path: str) -> None:
    """Raises what the system says of a path, such as that its name is too long."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.stat(path)
