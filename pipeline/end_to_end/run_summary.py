"""A run's figures in short, for `summary.json` (DESIGN section 10) and for a person."""

import os
from collections.abc import Mapping
from typing import Any

_HEADLINE = ("auc", "gauc", "logloss", "ne", "calibration")


def of_join(manifest: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Returns what a summary holds of a join.

    Args:
      manifest: of the joined examples.
      seconds: that the join took.
    """
    counts = manifest["counts"]
    splits = manifest["splits"].values()
    return {
        "events_read": counts["read"],
        "requests_written": sum(split["requests"] for split in splits),
        "candidates_written": counts["written"],
        "quarantined": sum(counts["quarantined"].values()),
        "dropped": sum(counts["dropped"].values()),
        "seconds": seconds,
    }


def headline(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the headline figures of the main label, and of a conversion's as `labels`."""
    figures = {name: values[name] for name in _HEADLINE}
    if others := values.get("labels"):
        figures["labels"] = {label: headline(one) for label, one in others.items()}
    return figures


def describe(summary: Mapping[str, Any], label: str, output: str) -> str:
    """Returns a summary as a person reads it.

    Args:
      summary: as `pipeline.run.run` returns it.
      label: the main label's name.
      output: the run's folder.
    """
    join, export_, serving = summary["join"], summary["export"], summary["serving"]
    lines = [
        f"Join      {join['events_read']:,} events -> {join['requests_written']:,} requests, "
        f"{join['candidates_written']:,} candidates; {join['quarantined']:,} quarantined, "
        f"{join['dropped']:,} dropped ({join['seconds']:.0f} s)",
        f"Train     {summary['train']['steps']} steps, "
        f"{summary['train']['candidates_per_second']:,.0f} candidates/s",
        f"Test      {'':13}" + "".join(f"{name:>12}" for name in _HEADLINE) + f"   ({label})",
    ]
    lines += [_row(model, figures) for model, figures in summary["metrics"].items()]
    lines += [
        _row(model, figures) + f"   ({other})"
        for model, all_figures in summary["metrics"].items()
        for other, figures in all_figures.get("labels", {}).items()
    ]
    times = ", ".join(f"{name} {ms:.1f} ms" for name, ms in serving["latency_ms"].items())
    lines += [
        f"Export    {export_['saved_model']}: {', '.join(export_['signatures'])}",
        f"          largest difference from serving_default {export_['parity_max_abs_diff']:.1e}",
        f"Serving   {serving['candidates']:,} candidates, {serving['history_length']} behaviors: "
        + times,
        f"Report    {os.path.join(output, 'report.html')}",
    ]
    return "\n".join(lines)


def _row(model: str, figures: Mapping[str, Any]) -> str:
    return f"          {model:<13}" + "".join(f"{_figure(figures[k]):>12}" for k in _HEADLINE)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
