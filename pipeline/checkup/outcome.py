"""What a check says: a line for people, and what to do."""

import dataclasses
from typing import Any, Literal

Status = Literal["ok", "warning", "problem"]


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
                f"Check {self.check!r} found a {self.status} and received no remedy: say what "
                "to do."
            )

    def text(self) -> str:
        """Returns the outcome as a line, and below it what to do."""
        line = f"{self.status:<8} {self.check:<15} {self.message}"
        return f"{line}\n{'':<24} -> {self.remedy}" if self.remedy else line

    def to_dict(self) -> dict[str, Any]:
        """Returns the outcome as JSON values."""
        return dataclasses.asdict(self)
