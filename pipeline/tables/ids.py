"""Ids of several tables that have to be equal."""

import pyarrow as pa

from features import id_kinds
from features.errors import UserInputError


def same_kind(found: dict[str, pa.DataType], name: str) -> None:
    """Checks that all files hold an id column in one kind, int64 or string.

    Args:
      found: the column's type by file.
      name: of the column.

    Raises:
      UserInputError: the ids of two files could never be equal.
    """
    by_kind = {id_kinds.of_type(kind): path for path, kind in found.items()}
    if len(by_kind) > 1:
        text, number = by_kind["string"], by_kind["integer"]
        raise UserInputError(
            f"Column {name!r} is a string in {text!r} and an integer in {number!r}, so no id of "
            "one would be found in the other. Write both alike, or read both as text with "
            f"--text_column {name}."
        )
