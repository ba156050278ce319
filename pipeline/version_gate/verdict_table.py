"""A verdict as text: a table of its figures, and the result."""

from collections.abc import Mapping
from typing import Any

from pipeline.releases.verdict import Verdict
from pipeline.report import formats
from pipeline.runtime import text_table
from pipeline.version_gate.options import METRICS

_HEAD = ("label", "slice", "users", "positives", "judges")


def describe(verdict: Verdict) -> str:
    """Returns one line per label and slice, and what was compared with what."""
    rows = [[*_HEAD, *(text for metric in METRICS for text in (metric, "loss"))]]
    for scope in verdict.values["scopes"]:
        name = f"{scope['slicing']} {scope['name']}" if scope["slicing"] else "all"
        counts = (f"{scope[one]:,}" for one in ("users", "positives"))
        judges = "yes" if scope["judges"] else "no"
        rows.append([scope["task"], name, *counts, judges, *_figures(scope["figures"])])
    return "\n".join(
        [
            text_table.aligned(rows),
            f"Version {verdict.version}: {verdict.summary}. Record: {verdict.path}",
        ]
    )


def refusal(verdict: Verdict) -> str:
    """Returns the reasons of a verdict that was not passed, one per line."""
    lines = [
        f"The gate refused version {verdict.version}:",
        *(f"  {one}" for one in verdict.reasons),
        f"Keep the version that serves. All figures are in {verdict.path!r}.",
    ]
    return "\n".join(lines)


def _figures(figures: Mapping[str, Any]) -> list[str]:
    return [
        text
        for metric in METRICS
        for text in (
            formats.fixed(figures[metric]["challenger"]),
            formats.signed(figures[metric]["loss"]),
        )
    ]
