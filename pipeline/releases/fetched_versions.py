"""Exported versions copied from elsewhere, such as an object store, for a server beside them."""

import os
from collections.abc import Sequence

from pyarrow import fs

from features.errors import UserInputError
from features.files import file_system, staging, storage
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.exported_version import ExportedVersion, check_files


def fetch(export_dir: str, source: str | None, numbers: Sequence[str]) -> str:
    """Copies versions and publishes each by one rename; returns the text to print.

    A version that is there and intact is left alone, so a fetch that was killed is run again.

    Args:
      export_dir: the local folder of the model that gets the versions.
      source: the model's folder elsewhere, local or remote.
      numbers: of the versions, in decimal digits.

    Raises:
      UserInputError: there is no such version, or what was copied is damaged.
    """
    if not source or not numbers or not all(one.isascii() and one.isdecimal() for one in numbers):
        raise UserInputError(
            f"fetch: received --source {source!r} and --versions {','.join(numbers)!r}, expected "
            "the model's folder elsewhere and numbers, such as --source s3://bucket/dmf "
            "--versions 1,2."
        )
    folder = ExportFolder(export_dir)
    messages = []
    for number in sorted({int(one) for one in numbers}):
        place = storage.join(source, str(number))
        if os.path.isdir(os.path.join(folder.path, str(number))):
            folder.intact_version(number)
            messages.append(f"version {number} is there and intact")
            continue
        with folder.workspace() as workspace:
            copy = os.path.join(workspace, str(number))
            _copy(place, copy)
            check_files(copy)
            size = ExportedVersion.read(copy).bytes
            with folder.locked():
                staging.publish(copy, os.path.join(folder.path, str(number)))
        messages.append(f"version {number}: {size:,} bytes from {place}")
    return "\n".join(messages)


def _copy(place: str, copy: str) -> None:
    try:
        with file_system.resolved(place) as (filesystem, name):
            if filesystem.get_file_info(name).type != fs.FileType.Directory:
                raise UserInputError(
                    f"--source: there is no {place!r}. Copy the version there after its export, "
                    "or give the folder that holds 1, 2, ..."
                )
            fs.copy_files(
                name,
                copy,
                source_filesystem=filesystem,
                destination_filesystem=fs.LocalFileSystem(),
            )
    except OSError as error:
        raise UserInputError(f"--source: {place!r} cannot be copied: {error}.") from error
