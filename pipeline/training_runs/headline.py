"""The headline metrics of an evaluation: a row per label, for the terminal and the summary."""

from collections.abc import Mapping
from typing import Any

METRICS = ("auc", "gauc", "logloss", "ne", "calibration")


def headline(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the headline metrics of the main label and, as `labels`, of every other label.

    Args:
      values: what `models.evaluation.scoring.evaluate` returned.
    """
    figures = {name: values[name] for name in METRICS}
    if weighted := values.get("weighted"):
        figures["weighted"] = headline(weighted)
    if others := values.get("labels"):
        figures["labels"] = {label: headline(one) for label, one in others.items()}
    return figures


def header() -> str:
    """Returns the names of the metrics, as wide as the figures of `row`."""
    return "".join(f"{name:>12}" for name in METRICS)


def row(figures: Mapping[str, Any]) -> str:
    """Returns the figures of one label; `-` where a metric is undefined."""
    shown = ("-" if figures[name] is None else f"{figures[name]:.4f}" for name in METRICS)
    return "".join(f"{one:>12}" for one in shown)


def text(values: Mapping[str, Any], label: str) -> str:
    """Returns the table of an evaluation and, below it, what its ablation found."""
    found = values.get("ablation", {}).get("findings", [])
    return "\n".join([table(values, label), *found])


def table(values: Mapping[str, Any], label: str) -> str:
    """Returns an evaluation as a table, one row per label, and one by weight if there are any.

    Args:
      values: what `models.evaluation.scoring.evaluate` returned.
      label: the name of the main label.
    """
    figures = headline(values)
    rows = []
    for name, one in {label: figures, **figures.get("labels", {})}.items():
        rows.append((name, one))
        rows += [("  by weight", one["weighted"])] if "weighted" in one else []
    return "\n".join([f"{'':13}{header()}", *(f"{name:13}{row(one)}" for name, one in rows)])
