"""A finding: something in the data that is wrong, or that somebody should look at."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

from pipeline.statistics.options import CheckLimits

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


def table(findings: Sequence[Finding]) -> str:
    """Returns findings as lines for people, errors first."""
    ordered = sorted(findings, key=lambda one: one.severity)
    return "\n".join(
        f"{one.severity:<8} {one.check:<18} {one.subject}: {one.message}" for one in ordered
    )


def share(part: float, whole: float) -> float:
    """Returns a share, 0 of nothing."""
    return part / whole if whole else 0.0


def bad_rows(
    part: int, whole: int, limits: CheckLimits, check: str, subject: str, message: str
) -> Iterator[Finding]:
    """Yields a finding of bad rows, an error where they are more than allowed; none of none."""
    if part:
        too_many = share(part, whole) > limits.max_bad_fraction
        yield Finding("error" if too_many else "warning", check, subject, message)


def coverage(subject: str, covered: str, found: float, limits: CheckLimits) -> Iterator[Finding]:
    """Yields a finding where the share `found` of `covered` (rows, in the plural) is too small."""
    if found < limits.coverage:
        poor = found < limits.least_coverage
        limit = limits.least_coverage if poor else limits.coverage
        advice = " Are these the ids of the log?" if poor else ""
        text = f"{found:.1%} of the {covered} have an embedding, fewer than {limit:.1%}.{advice}"
        yield Finding("error" if poor else "warning", "coverage", subject, text)
