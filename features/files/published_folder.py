"""A folder, or the published version of one with versions."""

from features.errors import UserInputError
from features.files import versions


def published_folder(folder: str) -> str:
    """Returns the folder of the published version, or the folder itself if it has no versions.

    Raises:
      UserInputError: no version is published, or the published one is missing.
    """
    path = versions.published(folder)
    if path is None and versions.numbers(folder):
        raise UserInputError(
            f"{folder!r} holds no published version: the job that made the first one did not "
            "finish. Run it again."
        )
    return path or folder
