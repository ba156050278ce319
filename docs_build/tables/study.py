"""Tables of the study over several data sets, where `benchmarks/results/study.json` was recorded.

`study.ranks` has all data sets, `study.<data set>` the models of one.
"""

import functools
from collections.abc import Mapping
from typing import Any

from docs_build import results
from docs_build.study_figures import FILE
from docs_build.tables.table import Table, markdown


def tables_of(held: Mapping[str, Any]) -> dict[str, Table]:
    """Returns the tables of a recorded study by name."""
    names = [one["name"] for one in held["data"]]
    of_data = {f"study.{name}": functools.partial(_models, held, name) for name in names}
    return {"study.ranks": functools.partial(_ranks, held), **of_data}


def _ranks(held: Mapping[str, Any]) -> str:
    # Here, because the benchmark imports TensorFlow.
    from benchmarks.ranking_study import rank_report

    head, *rows = rank_report.cells_of_all(held)
    return markdown(head, [_marked(row, row[0] == "DMF") for row in rows], numeric=True)


def _models(held: Mapping[str, Any], name: str) -> str:
    """The models of a data set by rank, the control last."""
    from benchmarks.ranking_study import quality_report, rank_report

    rows = [row for row in held["rows"] if row["data"] == name]
    rows.sort(key=lambda row: (row["rank"] is None, -(row["rank"] or 0)))
    head = (*quality_report.HEAD[1:], *rank_report.HEAD)
    cells = [
        _marked([*quality_report.cells(row), *rank_report.cells(row)], row["model"] == "dmf")
        for row in rows
    ]
    return markdown(head, cells, numeric=True)


def _marked(texts: list[str], is_ours: bool) -> list[str]:
    texts = [text.replace(" ± 0.0000", "").strip("–") for text in texts]
    return [f"**{text}**" if is_ours and text else text for text in texts]


TABLES: dict[str, Table] = tables_of(results.load(FILE)) if FILE in results.files() else {}
