"""The quality benchmark's output for people: a table in Markdown, and a page of pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.ranking_study import quality_figures
from benchmarks.ranking_study.quality_protocol import TITLES
from pipeline.report import formats, page
from pipeline.report.blocks import Details, ReportBlock, Section, Table

_HEAD = ("split", "model", "AUC", "GAUC", "GAUC over ID-only, 95%", "NE", "predicted / observed")


def table(result: Mapping[str, Any]) -> str:
    """Returns the rows as a table in Markdown.

    Args:
      result: the benchmark's output.
    """
    lines = [_HEAD, ("---",) * len(_HEAD)]
    lines += [(row["split"], *_cells(row)) for row in result["rows"]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render(result: Mapping[str, Any], path: str) -> None:
    """Writes the page.

    Args:
      result: the benchmark's output.
      path: of the HTML file.
    """
    protocol = result["protocol"]
    sections = []
    for split in dict.fromkeys(row["split"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["split"] == split]
        cells = [_cells(row) for row in rows]
        figures = quality_figures.figures(rows, TITLES)
        question = "Which model ranks best, and by how much more than ID-only?"
        blocks: list[ReportBlock] = [Table(_HEAD[1:], cells), *figures]
        sections.append(Section(split, f"{split.capitalize()} split", question, blocks))
    sections.append(Section("protocol", "Protocol", "How was it measured?", _facts(result)))
    seeds = f"{protocol['seeds']} seeds, {protocol['trials']} settings tried for each model"
    page.write(path, "Models against each other", f"Test split, scored once; {seeds}", sections)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    gain = row.get("gauc_difference")
    return (
        TITLES.get(row["model"], row["model"]),
        _spread(row, "auc"),
        _spread(row, "gauc"),
        _gain(gain) if gain else formats.MISSING,
        formats.fixed(row["ne_mean"]),
        formats.fixed(row["calibration_mean"], 3),
    )


def _spread(row: Mapping[str, Any], figure: str) -> str:
    return f"{formats.fixed(row[f'{figure}_mean'])} ± {formats.fixed(row[f'{figure}_std'])}"


def _gain(gain: Mapping[str, float]) -> str:
    low, high = (formats.signed(gain[f"relative_percent_{end}"], 2) for end in ("low", "high"))
    return f"{formats.signed(gain['relative_percent'], 2)}% ({low} to {high})"


def _facts(result: Mapping[str, Any]) -> Sequence[Table | Details]:
    told = {"command": result["command"], **result["protocol"], **result["environment"]}
    facts = Table((), [(name, str(value)) for name, value in told.items()], numeric=False)
    head = ("model", "setting", "validation AUC", "validation GAUC", "seconds")
    tried = [
        (
            TITLES.get(name, name),
            _setting(one["setting"]),
            formats.fixed(one["validation"]["auc"]),
            formats.fixed(one["validation"]["gauc"]),
            formats.fixed(one["seconds"], 0),
        )
        for name, trials in result["tuning"].items()
        for one in trials
    ]
    return [facts, Details("Every setting that was tried", Table(head, tried))]


def _setting(setting: Mapping[str, Mapping[str, Any]]) -> str:
    values = {name: value for group in setting.values() for name, value in group.items()}
    return ", ".join(f"{name} {value:g}" for name, value in values.items()) or formats.MISSING
