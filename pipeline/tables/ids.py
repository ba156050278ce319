"""Ids of several tables that have to be equal."""

import pyarrow as pa

from features.errors import UserInputError
from features.tables import kinds


def same_kind(found: dict[str, pa.DataType], name: str) -> None:
    """Checks that all files hold an id column in one kind, int64 or string.

    Args:
      found: the column's type by file.
      name: of the column.

    Raises:
      UserInputError: the ids of two files could never be equal.
    """
    by_kind = {kinds.is_text(kind): path for path, kind in found.items()}
    if len(by_kind) > 1:
        raise UserInputError(
            f"Column {name!r} is a string in {by_kind[True]!r} and an integer in "
            f"{by_kind[False]!r}, so no id of one would be found in the other. Write both alike, "
            f"or read both as text with --text_column {name}."
        )
