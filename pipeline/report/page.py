"""Renders a run's data as one HTML file."""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from pipeline.report import headline
from pipeline.report.blocks import Section, Tile
from pipeline.report.sections import (
    attention_section,
    calibration_section,
    check_section,
    column_section,
    comparison_section,
    data_section,
    embedding_section,
    facts_section,
    latency_section,
    request_section,
    similarity_section,
    slice_section,
    time_section,
    training_section,
)

_SECTIONS = (
    data_section,
    check_section,
    time_section,
    column_section,
    embedding_section,
    similarity_section,
    training_section,
    comparison_section,
    slice_section,
    calibration_section,
    latency_section,
    attention_section,
    request_section,
    facts_section,
)
"""In the order of the page."""


def render(data: Mapping[str, Any], path: str) -> None:
    """Writes the report as one file that needs nothing else.

    Args:
      data: a run's results: `title`, `label`, `summary`, `manifest`, `statistics` and
        `assessment` (see `pipeline.statistics.assessment`), `training`, `metrics`, `latency`,
        `bucket_effect`, `attention_mass`, `scored`, `tags`, `parity`, `config`, `environment` and
        `command`. A single training also has `run`, `changed_settings` and `split`, the split
        that the headline shows (`test` by default), and its `metrics` are by split, not by model.
        A section whose data is absent is left out. A number that is None or not finite is a dash
        or a gap.
      path: the HTML file; written beside itself and renamed.
    """
    sections = [found for section in _SECTIONS if (found := section.section(data)) is not None]
    title = data.get("title") or "Report"
    write(path, title, headline.subtitle(data), sections, headline.tiles(data))


def write(
    path: str, title: str, subtitle: str, sections: Sequence[Section], tiles: Sequence[Tile] = ()
) -> None:
    """Writes sections as one file that needs nothing else, beside itself and renamed."""
    html = _template().render(title=title, subtitle=subtitle, tiles=tiles, sections=sections)
    unfinished = f"{path}.unfinished"
    with open(unfinished, "w", encoding="utf-8") as file:
        file.write(html)
    os.replace(unfinished, path)


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
