"""What shows how a model learns, and must never end the job that learns."""

import os
import traceback
from collections.abc import Callable
from typing import TypeVar

from absl import logging

from features.errors import UserInputError

_Value = TypeVar("_Value")


def attempt(name: str, compute: Callable[[], _Value], otherwise: _Value) -> _Value:
    """Computes a diagnostic, and leaves it out where that fails, with a warning that names it.

    Args:
      name: of the diagnostic, such as `attention mass`.
      compute: computes it; reads no data set, whose errors are the job's.
      otherwise: what it is when it fails.

    Raises:
      UserInputError: `compute` raised it.
    """
    try:
        return compute()
    except UserInputError:
        raise
    except Exception as error:  # noqa: BLE001  Whatever it is, the model is trained.
        logging.warning("Left out: %s (%s).", name, _description(error))
        return otherwise


def _description(error: Exception) -> str:
    """Returns what failed and where, in one line."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    message = next(iter(str(error).splitlines()), "no message").rstrip(".")
    file = os.path.basename(place.filename)
    return f"{type(error).__name__} in {file}, line {place.lineno}: {message}"
