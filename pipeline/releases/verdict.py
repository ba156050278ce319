"""What the gate said of one version: a record, and how it is read."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.files import manifest, structure

_CHECKSUM = "checksum"
_REMEDY = "Move it away, and run the gate again."


@dataclass
class _Side:
    version: int
    manifest_sha256: str


@dataclass
class _Record:
    """What is read of a record; it has all figures besides."""

    created: str
    passed: bool
    reasons: list[str]
    challenger: _Side
    champion: _Side | None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the gate says of a version.

    Attributes:
      path: of the record.
      values: of the record: `passed`, `reasons` and `notes` in sentences, `challenger` and
        `champion` with version and sha256 of the manifest, `examples`, `limits`, and `scopes`
        with every figure.
    """

    path: str
    values: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the version."""
        return bool(self.values["passed"])

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass."""
        return tuple(self.values["reasons"])

    @property
    def version(self) -> int:
        """The challenger."""
        return int(self.values["challenger"]["version"])

    @property
    def champion(self) -> int | None:
        """The version that it was compared with."""
        champion = self.values["champion"]
        return None if champion is None else int(champion["version"])

    @property
    def summary(self) -> str:
        """What it says, in three words."""
        against = "" if self.champion is None else f" against {self.champion}"
        return f"{'passed' if self.passed else 'refused'}{against}"

    @classmethod
    def read(cls, path: str) -> "Verdict":
        """Reads a record.

        Raises:
          UserInputError: it is not as the gate wrote it.
        """
        values = read_values(path)
        structure.check(_Record, values, repr(path), _REMEDY)
        return cls(path, values)


def read_values(path: str) -> dict[str, Any]:
    """Reads a file of the gate; unlike a manifest it is never edited, so it has its checksum.

    Raises:
      UserInputError: it is not as it was written.
    """
    try:
        values = manifest.read_values(path)
    except UserInputError as error:
        raise UserInputError(f"{str(error).partition('. ')[0]}. {_REMEDY}") from error
    if _CHECKSUM not in values:
        raise UserInputError(f"{path!r} has no {_CHECKSUM}: it was edited by hand. {_REMEDY}")
    return values
