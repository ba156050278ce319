"""A folder of Parquet files, or the published version of one with versions."""

from features.errors import UserInputError
from features.files import storage, versions


def published_folder(folder: str) -> str:
    """Returns the folder of the published version, or the folder itself if it has no versions."""
    version = versions.current(folder)
    return folder if version is None else versions.path_of(folder, version)


def parquet_files(folder: str) -> list[str]:
    """Returns the Parquet files of a folder, or of its published version, sorted by name.

    Args:
      folder: local or remote; a single `.parquet` file is accepted too.

    Raises:
      UserInputError: there is no such folder, or it holds no Parquet file.
    """
    if folder.endswith(".parquet") and storage.is_file(folder):
        return [folder]
    folder = published_folder(folder)
    paths = storage.list_files(folder, ".parquet")
    if not paths:
        raise UserInputError(f"{folder!r} holds no .parquet file. Give a folder that does.")
    return paths
