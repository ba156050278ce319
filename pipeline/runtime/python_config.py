"""Configuration from a Python or JSON file and `key=value` overrides, validated by a dataclass."""

import ast
import copy
import os
import runpy
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from features.errors import UserInputError
from pipeline.runtime import json_file

_Config = TypeVar("_Config")


def read(path: str | None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the given values by key, not yet validated.

    Args:
      path: a Python file whose `get_config()` returns a nested dictionary, or a JSON file that
        holds one, such as a run's `run_config.json`; None for no file.
      overrides: `key=value`, such as `model.heads=2`; the value is a Python literal, or else a
        string.

    Raises:
      UserInputError: the file or an override cannot be read.
    """
    values = _read_file(path) if path else {}
    for override in overrides:
        _override(values, override)
    return values


def validate(kind: type[_Config], values: Mapping[str, Any], where: str) -> _Config:
    """Returns a configuration with these values.

    Args:
      kind: a pydantic dataclass.
      values: by key; the others have their defaults.
      where: the source of the values, for the message.

    Raises:
      UserInputError: a key is unknown or a value out of range; all of them are named.
    """
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}, received {problem['input']!r}"
            for problem in error.errors()
        )
        raise UserInputError(f"Configuration {where}: {problems}") from error


def _read_file(path: str) -> dict[str, Any]:
    if path.endswith(".json"):
        return json_file.read(path, "--config")
    if os.path.isdir(path):
        raise UserInputError(f"--config {path!r} is a folder. Give a file that has get_config().")
    try:
        namespace = runpy.run_path(path)
    except (OSError, SyntaxError) as error:
        raise UserInputError(f"--config {path!r} cannot be read: {error}") from error
    if not callable(namespace.get("get_config")):
        raise UserInputError(
            f"--config {path!r} defines no get_config(). It must return a nested dictionary."
        )
    values = namespace["get_config"]()
    try:
        return copy.deepcopy(dict(values))
    except (TypeError, ValueError):
        raise UserInputError(
            f"--config {path!r}: get_config() returned {values!r:.80}, expected a nested "
            "dictionary."
        ) from None


def _override(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise UserInputError(f"--set {override!r}: expected key=value, such as model.heads=2.")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        value = text
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise UserInputError(f"--set {override!r}: {parent!r} is not a group of settings.")
    values[last] = value
