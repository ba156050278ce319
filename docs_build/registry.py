"""All figures and tables by name."""

import difflib
import functools
from collections.abc import Iterable

from docs_build import results, study_figures
from docs_build.figures import FIGURES
from docs_build.tables import (
    capacity,
    embeddings,
    flags,
    guarantees,
    jobs,
    join,
    measurements,
    models,
    serving,
    settings,
    signatures,
    study,
    training,
)
from docs_build.tables.table import Table

_MODULES = (
    capacity,
    embeddings,
    flags,
    guarantees,
    jobs,
    join,
    measurements,
    models,
    serving,
    settings,
    signatures,
    study,
    training,
)

TABLES: dict[str, Table] = {
    name: table for module in _MODULES for name, table in module.TABLES.items()
}
"""A function by name that returns the table in Markdown."""


@functools.cache
def render(name: str, is_table: bool) -> str:
    """Returns a figure, or a table in Markdown, by its name.

    Raises:
      LookupError: there is none of that name.
    """
    if is_table:
        if name not in TABLES:
            raise LookupError(_unknown("table", name, TABLES))
        return TABLES[name]()
    if name not in FIGURES:
        raise LookupError(_unknown("figure", name, FIGURES))
    return FIGURES[name].text()


def study_picture() -> str:
    """Returns the picture of the recorded study, as SVG."""
    # Here, because the benchmark imports TensorFlow.
    from benchmarks.ranking_study import study_picture

    return study_picture.draw(results.load(study_figures.FILE))


PICTURES = {"docs/pictures/study.svg": study_picture}
"""A function by path that returns the picture as SVG."""


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=3)
    advice = f"did you mean {', '.join(near)}?" if near else f"docs_build/{kind}s has the names"
    return f"there is no {kind} {name!r}: {advice}"
