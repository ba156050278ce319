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


_SUMMARY = [
    "id_only",
    "din",
    "sa_ta_tiers",
    "early_fusion",
    "gradient_boosting",
    "dmf",
    "dmf_shuffled",
]


def _summary() -> str:
    """Some models on both splits of one data set, for a first look."""
    from benchmarks.ranking_study import quality_report

    rows = results.load("quality.json")["rows"]
    found = []
    for model in _SUMMARY:
        whole, user = (
            quality_report.cells(results.pick(rows, split=split, model=model))
            for split in ("global", "user")
        )
        texts = [*whole[:4], user[3]]
        found.append([f"**{text}**" for text in texts] if model == "dmf" else texts)
    head = ("model", "AUC", "GAUC", "gain, split by time", "gain, split within users")
    return markdown(head, [[cell.strip("–") for cell in row] for row in found], numeric=True)


TABLES: dict[str, Table] = {
    "quality.global": functools.partial(_models, "quality.json", "global"),
    "quality.user": functools.partial(_models, "quality.json", "user"),
    "quality.summary": _summary,
    "quality.transfer": functools.partial(_models, "quality_transfer.json", "global"),
}
