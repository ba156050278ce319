"""Settings by name on a command line: `--limit NAME=VALUE`, given several times."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from features.errors import UserInputError

_Options = TypeVar("_Options")


def assigned(flag: str, texts: Sequence[str]) -> dict[str, Any]:
    """Returns the values of a repeatable flag by name, None for `none`.

    Raises:
      UserInputError: a text is not `name=value`.
    """
    values = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise UserInputError(f"--{flag} {text!r}: expected name=value, such as label_rate=0.1.")
        values[name] = None if value in ("none", "null") else value
    return values


def parse(kind: type[_Options], values: Mapping[str, Any], where: str) -> _Options:
    """Returns a validated dataclass of settings; `where` the values come from.

    Raises:
      UserInputError: names each unknown name and each value out of range.
    """
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        known = ", ".join(TypeAdapter(kind).dump_python(kind()))
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}, received {one['input']!r}"
            for one in error.errors()
        )
        raise UserInputError(f"{where}: {problems}. Names are {known}.") from error
