"""The types that options of the join have."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from features.tables.names import feature_name

Fraction = Annotated[float, Field(ge=0, le=1)]


def _texts(value: object) -> object:
    """One text, or none, where several are allowed."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


ColumnName = Annotated[
    str,
    BeforeValidator(lambda value: feature_name(value) if isinstance(value, str) else value),
    Field(pattern=r"^[a-z][a-z0-9_]*$"),
]
"""A column by the name under which it is read; `isClick` may be written for `is_click`."""

Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Locations = Annotated[Texts, Field(min_length=1)]
PART_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
PartName = Annotated[str, Field(pattern=PART_NAME)]
