"""Tables of the serving benchmark."""

from docs_build.figures import SERVING
from docs_build.tables.table import Table, markdown


def _latency() -> str:
    """Median latency of 1,200 candidates, one request at a time, by length of history."""
    head = (
        "behaviors",
        "ID-only",
        "**DMF**, `score_request`",
        "DMF, `score_cached`",
        "DMF, `[C, L, d]` built",
        "early fusion",
        "requests per second over early fusion",
    )
    rows = []
    for history in (50, 200, 1000):
        milliseconds = [
            f"{SERVING[f'serving.{model}.{history}_ms'].text()} ms"
            for model in ("id_only", "dmf", "dmf_cached", "dmf_materialized", "early_fusion")
        ]
        milliseconds[1] = f"**{milliseconds[1]}**"
        ratio, cached = (
            SERVING[f"serving.over_early_fusion.{kind}{history}"].text() for kind in ("", "cached.")
        )
        rows.append((f"{history:,}", *milliseconds, f"{ratio}, cached {cached}"))
    return markdown(head, rows, numeric=True)


TABLES: dict[str, Table] = {"serving.latency": _latency}
