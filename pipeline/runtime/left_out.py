"""What a job left out of its result, told in the last lines of its output."""

from collections.abc import Mapping
from typing import Any

from absl import logging

_REASONS = 8
"""Reasons of one input that are named; the manifest has all."""


def log(
    source: str,
    reasons: Mapping[str, int],
    total: int | None = None,
    where: str = "",
    what: str = "rows",
) -> None:
    """Logs what was left out of one input; nothing where all counts are 0.

    Args:
      source: the input, such as `--events`.
      reasons: counts by reason.
      total: how many there were.
      where: what is known of them elsewhere, a sentence.
      what: what was counted.
    """
    if line := text(source, reasons, total, where, what):
        logging.warning("%s", line)


def text(
    source: str,
    reasons: Mapping[str, int],
    total: int | None = None,
    where: str = "",
    what: str = "rows",
) -> str:
    """Returns the line that `log` logs.

    >>> text("--events", {"click is null": 2, "duplicate": 1, "before_part": 0}, 2000)
    'Left out of --events: 3 of 2,000 rows (click is null: 2, duplicate: 1).'
    >>> text("--items", {}, 7)
    ''
    """
    counted = sorted(((n, reason) for reason, n in reasons.items() if n), key=_order)
    if not counted:
        return ""
    named = ", ".join(f"{reason}: {n:,}" for n, reason in counted[:_REASONS])
    more = f", and {len(counted) - _REASONS} more reasons" if len(counted) > _REASONS else ""
    of = "" if total is None else f" of {total:,}"
    count = sum(n for n, _ in counted)
    end = f" {where}" if where else ""
    return f"Left out of {source}: {count:,}{of} {what} ({named}{more}).{end}"


def _order(counted: tuple[int, str]) -> tuple[Any, ...]:
    return -counted[0], counted[1]
