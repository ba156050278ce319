"""The files of a Delta table's current version, by its log."""

import datetime
import os
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from features.errors import UserInputError
from features.files import storage
from features.files.file_system import local_path
from features.tables.locations.hive_keys import Keys

LOG = "_delta_log"
# Features that leave rows and columns as the files have them.
_HARMLESS = frozenset(
    ("timestampNtz", "typeWidening", "typeWidening-preview", "v2Checkpoint", "vacuumProtocolCheck")
)


def files(folder: str) -> dict[str, Keys]:
    """Returns the files of the current version.

    Args:
      folder: the table's, local or remote.

    Returns:
      Partition values by the file's name, which is below the folder.

    Raises:
      UserInputError: the log cannot be read here, or needs more than reading the files.
    """
    try:
        import deltalake
        from deltalake.exceptions import DeltaError
    except ImportError as error:
        raise UserInputError(
            f"{folder!r} is a Delta table ({LOG}): its folder also holds rows that were deleted "
            "or replaced, and only its log says which. Reading that needs the library deltalake: "
            "pip install 'dmf-ctr[delta]'. Or export the table as Parquet, and give that folder."
        ) from error
    try:
        table = deltalake.DeltaTable(_uri(folder), storage_options=_storage_options(folder))
        problem = _unsupported(table)
        columns = table.metadata().partition_columns
        actions = pa.table(table.get_add_actions())
    except (DeltaError, OSError, ValueError) as error:
        why = str(error).rstrip(".")
        raise UserInputError(
            f"{folder!r} is a Delta table whose {LOG} cannot be read: {why}. Repair the table, or "
            "export it as Parquet, and give that folder."
        ) from error
    if problem:
        raise UserInputError(
            f"{folder!r} is a Delta table ({LOG}) with {problem}, which is not read here. Export "
            "it as Parquet, and give that folder."
        )
    # Without the statistics, which are most of it.
    wanted = actions.select(["path", *(["partition"] if columns else [])]).to_pylist()
    return {
        _name(folder, action["path"]): tuple(
            (column, _text(action["partition"][column])) for column in columns
        )
        for action in wanted
    }


def _unsupported(table: Any) -> str | None:
    """Returns why the rows of a table are not just those of its files, None if they are."""
    features = set(table.protocol().reader_features or ())
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        return "columnMapping (the files have other names of columns)"
    if "deletionVectors" in features and any(batch.num_rows for batch in table.deletion_vectors()):
        return "deletionVectors (the files hold rows that are deleted)"
    others = features - _HARMLESS - {"columnMapping", "deletionVectors"}
    return ", ".join(sorted(others)) or None


def _name(folder: str, path: str) -> str:
    """Returns the name of a file of the log, whose paths have percent escapes."""
    name = unquote(path)
    if name.startswith(("/", "file:")) or "://" in name:
        raise UserInputError(
            f"{folder!r} is a Delta table ({LOG}) that is a clone of another: its file {name!r} "
            "lies elsewhere. Give the table that it was cloned from, or export it as Parquet."
        )
    return name


def _text(value: Any) -> str | None:
    """Returns a partition value as the log and the folders write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    return None if value is None else str(value)


def _uri(folder: str) -> str:
    return folder if storage.is_remote(folder) else os.path.abspath(local_path(folder))


def _storage_options(folder: str) -> dict[str, str]:
    """Returns what the library does not take from the environment by itself."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not folder.startswith("s3:") or not endpoint:
        return {}
    plain = str(endpoint.startswith("http://")).lower()
    return {"AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": plain}
