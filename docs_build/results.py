"""The recorded measurements."""

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from docs_build.pages import REPOSITORY


def files() -> list[str]:
    """Returns the names of all files of `benchmarks/results/`, sorted."""
    return sorted(path.name for path in (REPOSITORY / "benchmarks" / "results").glob("*.json"))


@functools.cache
def load(file: str) -> Mapping[str, Any]:
    """Returns a file of `benchmarks/results/`."""
    path = REPOSITORY / "benchmarks" / "results" / file
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def pick(rows: Iterable[Mapping[str, Any]], /, **values: Any) -> Mapping[str, Any]:
    """Returns the first row that has these values.

    >>> pick([{"way": "ours", "s": 1}, {"way": "limit", "s": 2}], way="limit")
    {'way': 'limit', 's': 2}

    Raises:
      LookupError: there is none.
    """
    for row in rows:
        if all(row.get(name) == value for name, value in values.items()):
            return row
    raise LookupError(f"no row has {values}")
