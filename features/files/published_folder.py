"""A folder, or the published version of one with versions."""

from features.files import versions


def published_folder(folder: str) -> str:
    """Returns the folder of the published version, or the folder itself if it has no versions."""
    version = versions.current(folder)
    return folder if version is None else versions.path_of(folder, version)
