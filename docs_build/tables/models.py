"""Tables that compare the models, of the quality and the serving benchmark."""

from docs_build import results
from docs_build.study_figures import FIGURES
from docs_build.tables.table import Table, markdown

# What a model reads of the history, as the page of the models says it.
_READS = {
    "id_only": "ids",
    "din": "ids, by an activation unit",
    "raw_vectors": "ids and projected vectors",
    "sim_score": "ids; largest and mean similarity",
    "simtier": "ids; a histogram of similarities",
    "make": "ids; a content model, trained first",
    "sa_ta": "ids and similarity, mixed in each score",
    "sa_ta_tiers": "as `sa_ta`; a histogram of similarities",
    "early_fusion": "ids and similarity buckets, concatenated per pair",
    "dta": "ids and vectors; similarity buckets as side information",
    "dmf_paper": "ids and buckets of one similarity; a histogram of it",
    "dmf": "as `dta`; a histogram, a kernel and a product of similarities",
}
_BASELINE = "id_only"
_SHOWN = ("movielens_global", "microlens")
"""Data sets of the comparison: preferences with running statistics, clicks without any."""

_HISTORIES = (50, 200, 1000)
_SERVED = (
    {"model": "dmf", "signature": "score_request"},
    {"model": "dmf", "signature": "score_cached"},
    {"model": "dmf_materialized"},
    {"model": "early_fusion"},
)


def _study(*names: str) -> str:
    return FIGURES[".".join(("study", *names))].text()


def _gain(data: str, model: str) -> str:
    if model == _BASELINE:
        return ""
    low, high = (_study(data, model, f"gauc_gain_{end}") for end in ("low", "high"))
    return f"{_study(data, model, 'gauc_gain')} ({low} to {high})"


def _comparison() -> str:
    """The models of the study, the best mean rank last."""
    models = sorted(_READS, key=lambda name: -float(_study(name, "mean_rank")))
    rows = [
        (
            f"[`{name}`](#{name})",
            _READS[name],
            _study(name, "mean_rank"),
            *(_gain(data, name) for data in _SHOWN),
        )
        for name in models
    ]
    head = (
        "`model.name`",
        "reads of the history",
        "mean rank",
        "GAUC over ID-only in %, MovieLens by time (95%)",
        "GAUC over ID-only in %, MicroLens (95%)",
    )
    return markdown(head, rows)


def _cost() -> str:
    """Time per request to that of ID-only, of 1,200 candidates, one request at a time."""
    rows = []
    for history in _HISTORIES:
        values = {"candidates": 1200, "concurrency": 1, "history_length": history}
        ratios = [
            1
            / results.pick(results.load("serving.json")["rows"], **values, **one)["rate_to_id_only"]
            for one in _SERVED
        ]
        rows.append((f"{history:,}", *(f"{ratio:.1f}" for ratio in ratios)))
    head = (
        "behaviors, all attended",
        "DMF, `score_request`",
        "DMF, `score_cached`",
        "DMF, `[C, L, d]` built",
        "early fusion",
    )
    return markdown(head, rows, numeric=True)


TABLES: dict[str, Table] = {"models.comparison": _comparison, "models.cost": _cost}
