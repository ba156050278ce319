"""Tables of the study over several data sets.

`study.ranks` has all data sets, `study.<data set>` the models of one, `study.summary` some models
for a first look.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from docs_build import results
from docs_build.study_figures import FILE
from docs_build.tables.table import Table, markdown
from pipeline.report import formats

_OURS = "dmf"
_SUMMARY = ("dmf", "dta", "early_fusion", "sa_ta_tiers", "simtier", "gradient_boosting", "id_only")


def tables_of(held: Mapping[str, Any]) -> dict[str, Table]:
    """Returns the tables of a recorded study by name."""
    names = [one["name"] for one in held["data"]]
    of_data = {f"study.{name}": functools.partial(_models, held, name) for name in names}
    return {
        "study.ranks": functools.partial(_ranks, held),
        "study.summary": functools.partial(_summary, held),
        **of_data,
    }


def _ranks(held: Mapping[str, Any]) -> str:
    # Here, because the benchmark imports TensorFlow.
    from benchmarks.ranking_study import rank_report

    head, *rows = rank_report.cells_of_all(held)
    models = [row["model"] for row in held["summary"]]
    return _table(head, models, rows)


def _summary(held: Mapping[str, Any]) -> str:
    """Some models by mean rank: their places, and what they gain on every data set."""
    from benchmarks.ranking_study.dot_panel import title_of

    names = [one["name"] for one in held["data"]]
    rows = []
    chosen = [row for row in held["summary"] if row["model"] in _SUMMARY]
    for row in chosen:
        found = (results.pick(held["rows"], data=name, model=row["model"]) for name in names)
        gains = (one.get("gauc_difference") for one in found)
        rows.append(
            [
                title_of(row["model"]),
                f"{row['mean_rank']:.1f}",
                f"{row['share_tied']:.0%}",
                *(formats.signed(one["relative_percent"], 1) if one else "" for one in gains),
            ]
        )
    head = ["model", "mean rank", "best or tied", *(name.replace("_", " ") for name in names)]
    return _table(head, [row["model"] for row in chosen], rows)


def _models(held: Mapping[str, Any], name: str) -> str:
    """The models of a data set by rank, the control last."""
    from benchmarks.ranking_study import quality_report, rank_report

    rows = [row for row in held["rows"] if row["data"] == name]
    rows.sort(key=lambda row: (row["rank"] is None, row["rank"]))
    head = (*quality_report.HEAD[1:], *rank_report.HEAD)
    cells = [[*quality_report.cells(row), *rank_report.cells(row)] for row in rows]
    return _table(head, [row["model"] for row in rows], cells)


def _table(head: Sequence[str], models: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns rows of models as a table in which ours is bold and what is missing is empty."""
    shown = []
    for model, row in zip(models, rows, strict=True):
        texts = [text.replace(" ± 0.0000", "").strip("–") for text in row]
        shown.append([f"**{text}**" if model == _OURS and text else text for text in texts])
    return markdown(head, shown, numeric=True)


TABLES: dict[str, Table] = tables_of(results.load(FILE))
