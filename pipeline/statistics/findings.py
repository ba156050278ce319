"""A finding: something in the data that is wrong, or that somebody should look at."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
      severity: an `error` stops a run, a `warning` is shown.
      check: what was checked, such as `timestamp_unit`.
      subject: what it was checked of, such as `events.timestamp`.
      message: what was found, what was expected, and what to do.
    """

    severity: Severity
    check: str
    subject: str
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Returns the finding as JSON values."""
        return dataclasses.asdict(self)


def table(findings: Sequence[Finding]) -> str:
    """Returns findings as lines for people, errors first."""
    ordered = sorted(findings, key=lambda one: one.severity)
    return "\n".join(
        f"{one.severity:<8} {one.check:<18} {one.subject}: {one.message}" for one in ordered
    )


def share(part: float, whole: float) -> float:
    """Returns a share, 0 of nothing."""
    return part / whole if whole else 0.0


def bad_rows(part: int, whole: int, limit: float) -> Severity | None:
    """Returns how bad so many bad rows are; None where there is none."""
    if not part:
        return None
    return "error" if share(part, whole) > limit else "warning"
