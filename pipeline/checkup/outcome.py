"""What a check found, and what to do."""

import dataclasses
from typing import Any, Literal

Status = Literal["ok", "warning", "problem"]
Finding = tuple[Status, str, str]
"""Status, message and remedy of an `Outcome`."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of one check.

    Attributes:
      check: what was looked at, such as `protobuf`.
      status: a `problem` stops some job, a `warning` costs speed or a feature.
      message: what was found, and what was expected.
      remedy: what to do; empty only where the status is `ok`.

    Raises:
      ValueError: a warning or problem without a remedy.
    """

    check: str
    status: Status
    message: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.status != "ok" and not self.remedy:
            raise ValueError(
                f"Check {self.check!r} found a {self.status} and received no remedy: add one."
            )

    def text(self) -> str:
        """Returns the outcome as one line, and the remedy as another below it."""
        line = f"{self.status:<8} {self.check:<15} {self.message}"
        return f"{line}\n{'':<24} -> {self.remedy}" if self.remedy else line

    def to_dict(self) -> dict[str, Any]:
        """Returns the outcome as JSON values."""
        return dataclasses.asdict(self)


def ok(message: str) -> Finding:
    """Returns the finding of a check that passed."""
    return "ok", message, ""


def warning(message: str, remedy: str) -> Finding:
    """Returns what costs speed or a feature."""
    return "warning", message, remedy


def problem(message: str, remedy: str) -> Finding:
    """Returns what stops some job."""
    return "problem", message, remedy
