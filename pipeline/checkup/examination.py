"""All checks, in order."""

from pipeline.checkup import machine_checks, package_checks
from pipeline.checkup.facts import Facts
from pipeline.checkup.outcome import Outcome


def examine(facts: Facts) -> list[Outcome]:
    """Returns the outcome of every check, in the order in which causes come before effects."""
    checks = {**package_checks.CHECKS, **machine_checks.CHECKS}
    return [
        *(Outcome(name, *check(facts)) for name, check in checks.items()),
        *(Outcome("folder", *found) for found in machine_checks.paths(facts)),
    ]
