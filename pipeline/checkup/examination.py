"""All checks, in order, and their outcomes."""

import dataclasses

from pipeline.checkup import machine_checks, package_checks
from pipeline.checkup.facts import Facts


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of one check.

    Attributes:
      check: what was looked at, such as `protobuf`.
      status: `ok`; a `problem` stops some job, a `warning` costs speed or a feature.
      message: what was found, and what was expected.
      remedy: what to do; empty only where the status is `ok`.

    Raises:
      ValueError: a warning or problem without a remedy.
    """

    check: str
    status: str
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


def examine(facts: Facts) -> list[Outcome]:
    """Returns the outcome of every check, in the order in which causes come before effects."""
    checks = {**package_checks.CHECKS, **machine_checks.CHECKS}
    outcomes = [Outcome(name, *check(facts)) for name, check in checks.items()]
    return outcomes + [Outcome("folder", *found) for found in machine_checks.paths(facts)]
