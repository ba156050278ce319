"""JSON values checked against the dataclass that says what readers use of them."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from features.errors import UserInputError

_SHOWN_PROBLEMS = 3


def check(kind: Any, values: object, what: str, remedy: str) -> None:
    """Checks keys, types and sums of JSON values.

    Args:
      kind: a dataclass of pydantic's, or another type that it knows.
      values: as they were read.
      what: names their file, for the message.
      remedy: a sentence that says how it is made again.

    Raises:
      UserInputError: names what is missing, of another type, or does not add up.
    """
    try:
        TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        found = [_problem(one) for one in error.errors()]
        shown, rest = "; ".join(found[:_SHOWN_PROBLEMS]), len(found) - _SHOWN_PROBLEMS
        raise UserInputError(
            f"{what} is not as a finished job wrote it: {shown}"
            f"{f' and {rest} more' if rest > 0 else ''}. {remedy}"
        ) from error


def _problem(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    text = error["msg"].removeprefix("Value error, ")
    return f"{where}: {text}" if where else text
