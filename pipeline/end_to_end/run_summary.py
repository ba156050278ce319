"""A finished run in `summary.json`, `report.json` and `report.html`."""

import os
from collections.abc import Mapping
from typing import Any

from models.evaluation import attention_mass
from models.inputs import input_pipeline
from pipeline.end_to_end.run_state import COMMAND, RunState
from pipeline.report import formats
from pipeline.report.page import render
from pipeline.runtime import environment, json_file
from pipeline.training_runs import headline, run_config

_ATTENTION_BATCHES = 8


def write(run: RunState) -> dict[str, Any]:
    """Writes the three files into the output of a finished run and returns the summary."""
    summary = _summarize(run)
    report = _report_data(run, summary)
    json_file.write(run.folder("report.json"), report)
    render(report, run.folder("report.html"))
    json_file.write(run.folder("summary.json"), summary)
    return summary


def _summarize(run: RunState) -> dict[str, Any]:
    """Returns what `summary.json` holds."""
    counts, splits = run.manifest["counts"], run.manifest["splits"].values()
    training = run.training[run.config.model.name]
    return {
        "join": {
            "events_read": counts["read"],
            "requests_written": sum(split["requests"] for split in splits),
            "candidates_written": counts["written"],
            "quarantined": sum(counts["quarantined"].values()),
            "dropped": sum(counts["dropped"].values()),
            "seconds": run.seconds["join"],
        },
        "train": {name: training[name] for name in ("candidates_per_second", "steps", "seconds")},
        "metrics": {name: headline.headline(values) for name, values in run.metrics.items()},
        "findings": formats.dig(run.metrics, run.config.model.name, "ablation", "findings") or [],
        "export": {
            "saved_model": run.exported.folder,
            "signatures": list(run.exported.signatures),
            "parity_max_abs_diff": run.exported.parity["max_abs_diff"],
        },
        "serving": {
            "candidates": run.config.serving.candidates,
            "history_length": len(run.request.history_item_id),
            "latency_ms": {name: values["p50_ms"] for name, values in run.latencies.items()},
        },
        "phases": run.seconds,
    }


def _report_data(run: RunState, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what `report.json` holds and the page shows."""
    batches = input_pipeline.evaluation_batches(run.examples, "test").take(_ATTENTION_BATCHES)
    return {
        "title": run.config.title,
        "label": run.model.label,
        "summary": summary,
        "manifest": run.manifest,
        "statistics": run.inspection.statistics,
        "assessment": run.inspection.assessment.to_dict(),
        "training": run.training,
        "metrics": run.metrics,
        "latency": {
            "candidates": run.config.serving.candidates,
            "history_length": len(run.request.history_item_id),
            "models": run.latencies,
        },
        "bucket_effect": run.model.bucket_effect(),
        "attention_mass": attention_mass.measure(run.model, batches),
        "scored": run.scored,
        "tags": dict(run.exported.tags),
        "parity": dict(run.exported.parity),
        "config": run_config.to_dict(run.config),
        "environment": environment.versions(),
        "command": environment.command(COMMAND),
    }


def describe(summary: Mapping[str, Any], label: str, output: str) -> str:
    """Returns what `write` returned as lines for the terminal; `label` is the main one."""
    join, export_, serving = summary["join"], summary["export"], summary["serving"]
    lines = [
        f"Join      {join['events_read']:,} events -> {join['requests_written']:,} requests, "
        f"{join['candidates_written']:,} candidates; {join['quarantined']:,} quarantined, "
        f"{join['dropped']:,} dropped ({join['seconds']:.0f} s)",
        f"Train     {summary['train']['steps']} steps, "
        f"{summary['train']['candidates_per_second']:,.0f} candidates/s",
        f"Test      {'':13}{headline.header()}   ({label})",
    ]
    lines += [_row(model, figures) for model, figures in summary["metrics"].items()]
    lines += [
        _row(model, figures) + f"   ({other})"
        for model, all_figures in summary["metrics"].items()
        for other, figures in all_figures.get("labels", {}).items()
    ]
    titles = ["Findings", *[""] * len(summary["findings"])]
    lines += [f"{title:10}{text}" for title, text in zip(titles, summary["findings"], strict=False)]
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
    return f"          {model:<13}{headline.row(figures)}"
