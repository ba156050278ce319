"""All figures and tables by name."""

import difflib
import functools
from collections.abc import Iterable

from docs_build import figures, study_figures
from docs_build.tables import (
    capacity,
    embeddings,
    flags,
    guarantees,
    jobs,
    join,
    measurements,
    models,
    quality,
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
    quality,
    serving,
    settings,
    signatures,
    study,
    training,
)

FIGURES = {**figures.FIGURES, **study_figures.FIGURES}

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


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=3)
    advice = f"did you mean {', '.join(near)}?" if near else f"docs_build/{kind}s has the names"
    return f"there is no {kind} {name!r}: {advice}"
