"""The kind of ids: integers as they are, or strings by their hash. Ids of two kinds never meet.

An integer id is an int64. An unsigned id of 2^63 or more is the int64 with the same 64 bits, which
is 2^64 less (two's complement): 2^64 - 1 is -1.

What was written before kinds were recorded has none. An unknown kind fits every kind.
"""

from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from features.errors import UserInputError

Kind = Literal["integer", "string"]
"""What ids are in the inputs; None where it is unknown."""

KEY = "id_kinds"
"""Where manifests have `IdKinds`."""

_WORDS = {"integer": "integers", "string": "strings (by FarmHash Fingerprint64)"}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class IdKinds:
    """The kinds of the ids of a data set, or of what was made from it.

    Attributes:
      item: of item ids.
      user: of user ids.
      string_hash: from strings to the int64 that records, tables and caches have.
    """

    item: Kind | None = None
    user: Kind | None = None
    string_hash: Literal["FarmHash Fingerprint64"] = "FarmHash Fingerprint64"

    def to_dict(self) -> dict[str, str]:
        """Returns the known kinds as plain JSON values; empty where none is known."""
        values = TypeAdapter(IdKinds).dump_python(self)
        if self.item is None and self.user is None:
            return {}
        return {name: value for name, value in values.items() if value is not None}


def item_kind(values: Mapping[str, Any]) -> Kind | None:
    """Returns the kind of item ids that a manifest says, None where it says none.

    Raises:
      UserInputError: the manifest is of a later version.
    """
    try:
        return TypeAdapter(IdKinds).validate_python(values.get(KEY, {})).item
    except ValidationError as error:
        raise UserInputError(f"{KEY} is not what this version knows: {error}") from error


def of_type(kind: pa.DataType) -> Kind:
    """Returns the kind of a column of ids by its type."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return "integer" if pa.types.is_integer(kind) else "string"


def check(received: Kind | None, what: str, expected: Kind | None, whose: str, remedy: str) -> None:
    """Refuses ids of another kind than is expected; an unknown kind fits.

    Args:
      received: kind of the ids in question.
      what: where they are, such as `--items 'items/'`.
      expected: kind of the ids that they have to meet.
      whose: these are, such as `the model`.
      remedy: a sentence that says what to do.

    Raises:
      UserInputError: both are known and differ.
    """
    if received is None or expected is None or received == expected:
        return
    raise UserInputError(
        f"{what}: item ids are {_WORDS[received]}, those of {whose} are {_WORDS[expected]}, so no "
        f"id of one would be found in the other. {remedy}"
    )
