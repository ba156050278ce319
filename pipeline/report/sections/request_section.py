"""One scored request: the history and the best candidates."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.blocks import Ranking, Section

_SHOWN = 12


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the request, or None where none was scored."""
    history = formats.records(data, "scored", "history")
    top = formats.records(data, "scored", "top")
    if not top:
        return None
    label = str(data.get("label") or "label")
    candidates = formats.number(data, "scored", "candidates")
    ranking = Ranking(
        f"User {formats.dig(data, 'scored', 'user') or formats.MISSING}",
        f"Of {formats.count(candidates)} candidates, by predicted probability of {label}.",
        [
            (_title(one), one.get("type") == label, str(one.get("type") or "type unknown"))
            for one in history[:_SHOWN]
        ],
        [
            (_title(one), formats.percent(probability, 1), 100 * min(max(probability or 0, 0), 1))
            for one in top[:_SHOWN]
            for probability in [formats.number(one, "probability")]
        ],
    )
    question = "What does a scored request look like?"
    return Section("request", "A request", question, [ranking])


def _title(one: Mapping[str, Any]) -> str:
    return str(one.get("title") or "untitled")
