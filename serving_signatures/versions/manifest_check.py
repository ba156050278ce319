"""The structure of a version's manifest: what the code reads of it, checked when it is read."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import NonNegativeInt
from pydantic.dataclasses import dataclass

from features.files import structure


@dataclass
class _File:
    bytes: NonNegativeInt
    sha256: str


@dataclass
class _Cache:
    valid: bool
    reason: str
    since: int | None = None


@dataclass
class _Parity:
    max_abs_diff: float
    foreign_ops: list[str] = dataclasses.field(default_factory=list)


@dataclass
class _Manifest:
    """Earlier releases wrote fewer keys, later ones may write more."""

    files: dict[str, _File] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    caches: dict[str, _Cache] = dataclasses.field(default_factory=dict)
    embeddings: dict[str, str] = dataclasses.field(default_factory=dict)
    schema: dict[str, Any] = dataclasses.field(default_factory=dict)
    created: str = ""
    parity: _Parity | None = None


def check(path: str, values: Mapping[str, Any]) -> None:
    """Checks the values of a version's manifest.

    Args:
      path: names the manifest in the message.
      values: as read.

    Raises:
      UserInputError: a key has a value of another type.
    """
    structure.check(_Manifest, dict(values), repr(path), "Export the model again.")
