"""Tables of the quality benchmark, by the renderer of `python -m benchmarks.quality --render`."""

import functools

from docs_build import results
from docs_build.tables.table import Table, markdown


def _models(file: str, split: str) -> str:
    """The models of a split by GAUC, the control last."""
    # Here, because the benchmark imports TensorFlow.
    from benchmarks.ranking_study import quality_report

    rows = [row for row in results.load(file)["rows"] if row["split"] == split]
    rows.sort(key=lambda row: (row["model"].endswith("_shuffled"), row["gauc_mean"]))
    cells = []
    for row in rows:
        texts = [text.replace(" ± 0.0000", "").strip("–") for text in quality_report.cells(row)]
        cells.append([f"**{text}**" for text in texts] if row["model"] == "dmf" else texts)
    return markdown(quality_report.HEAD[1:], cells, numeric=True)


TABLES: dict[str, Table] = {
    "quality.global": functools.partial(_models, "quality.json", "global"),
    "quality.user": functools.partial(_models, "quality.json", "user"),
    "quality.transfer": functools.partial(_models, "quality_transfer.json", "global"),
}
