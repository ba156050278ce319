"""Renders a run's data as one HTML file."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jinja2

from features.files import storage
from models.evaluation import diagnostics
from pipeline.report import headline
from pipeline.report.blocks import Section, Tile
from pipeline.report.sections import (
    ablation_section,
    attention_section,
    calibration_section,
    check_section,
    column_section,
    comparison_section,
    data_section,
    embedding_section,
    facts_section,
    file_section,
    latency_section,
    request_section,
    similarity_section,
    slice_section,
    time_section,
    training_section,
)
from pipeline.runtime import plain_text

Data = Mapping[str, Any]
Maker = Callable[[Data], Section | None]
"""Makes a section; None where its data is absent."""

_Part = TypeVar("_Part")

SECTIONS: Mapping[str, Maker] = {
    "data": data_section.section,
    "check": check_section.section,
    "time": time_section.section,
    "file": file_section.section,
    "column": column_section.section,
    "embedding": embedding_section.section,
    "similarity": similarity_section.section,
    "training": training_section.section,
    "comparison": comparison_section.section,
    "ablation": ablation_section.section,
    "slice": slice_section.section,
    "calibration": calibration_section.section,
    "latency": latency_section.section,
    "attention": attention_section.section,
    "request": request_section.section,
    "facts": facts_section.section,
}
"""In the order of the page."""


def render(data: Data, path: str, sections: Mapping[str, Maker] = SECTIONS) -> None:
    """Writes the report as one file that needs nothing else.

    Args:
      data: a run's results: `title`, `label`, `summary`, `manifest`, `statistics` and
        `assessment` (see `pipeline.statistics.assessment`), `training`, `metrics`, `latency`,
        `bucket_effect`, `attention_mass`, `scored`, `tags`, `parity`, `config`, `environment` and
        `command`. A single training also has `run`, `changed_settings` and `split`, the split
        that the headline shows (`test` by default), and its `metrics` are by split, not by model.
        A section whose data is absent is left out, and so is, with a warning, one that cannot be
        made (`models.evaluation.diagnostics`). A number that is None or not finite is a dash
        or a gap.
      path: the HTML file; written beside itself and renamed.
      sections: what makes each section, by name, in the order of the page.
    """
    made = [_attempt(f"{name} section", maker, None, data) for name, maker in sections.items()]
    write(
        path,
        data.get("title") or "Report",
        _attempt("subtitle", headline.subtitle, "", data),
        [section for section in made if section is not None],
        _attempt("headline", headline.tiles, [], data),
    )


def _attempt(name: str, make: Callable[[Data], _Part], otherwise: _Part, data: Data) -> _Part:
    return diagnostics.attempt(f"the report's {name}", lambda: make(data), otherwise)


def write(
    path: str, title: str, subtitle: str, sections: Sequence[Section], tiles: Sequence[Tile] = ()
) -> None:
    """Writes sections as one file that needs nothing else."""
    html = _template().render(title=title, subtitle=subtitle, tiles=tiles, sections=sections)
    storage.write_bytes(path, html.encode())


def _visible(value: object) -> object:
    """Returns a value of the template without hidden characters; HTML stays HTML."""
    if not isinstance(value, str):
        return value
    return type(value)(plain_text.escaped(value, plain_text.LAYOUT))


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
