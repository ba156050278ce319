"""All files below a folder, local or remote."""

import os
import stat

from pyarrow import fs

from features.errors import UserInputError
from features.files.file_system import is_remote, local_path, resolved


def files_below(folder: str) -> dict[str, int | None]:
    """Returns the sizes of the files at any depth of a folder.

    A remote folder takes one listing. Symbolic links of a local one are followed, but for those
    that lead back to a folder that they lie in.

    Returns:
      Bytes by name, which is below the folder, with `/` between folders; None for what is not a
      file that can be read, such as a link to nothing.

    Raises:
      UserInputError: there is no such folder, or it cannot be listed.
    """
    return _remote(folder) if is_remote(folder) else _local(local_path(folder))


def _remote(folder: str) -> dict[str, int | None]:
    with resolved(folder) as (filesystem, base):
        found = filesystem.get_file_info(fs.FileSelector(base, recursive=True))
    prefix = len(base.rstrip("/")) + 1
    return {one.path[prefix:]: one.size for one in found if one.type == fs.FileType.File}


def _local(folder: str) -> dict[str, int | None]:
    found = {}
    try:
        for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
            folders[:] = [name for name in folders if not _leads_back(folder, parent, name)]
            below = os.path.relpath(parent, folder)
            prefix = "" if below == os.curdir else below.replace(os.sep, "/") + "/"
            for name in names:
                found[prefix + name] = _size(os.path.join(parent, name))
    except OSError as error:
        raise UserInputError(
            f"{folder!r} cannot be listed: {error}. Give a folder that this user may read."
        ) from error
    return found


def _raise(error: OSError) -> None:
    raise error


def _leads_back(folder: str, parent: str, name: str) -> bool:
    path = os.path.join(parent, name)
    if not os.path.islink(path):
        return False
    target = os.path.realpath(path)
    # The way down to here may have gone through other links.
    way = [parent]
    while len(way[-1]) > len(folder):
        way.append(os.path.dirname(way[-1]))
    return any(os.path.commonpath([target, os.path.realpath(one)]) == target for one in way)


def _size(path: str) -> int | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
