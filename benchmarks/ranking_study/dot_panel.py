"""A drawing of one value per model, with a line around it."""

from collections.abc import Mapping

from benchmarks.ranking_study.quality_protocol import TITLES
from pipeline.report import formats, svg
from pipeline.report.blocks import Drawing

_ROW = 26


def title_of(model: str) -> str:
    """Returns a row's title."""
    return TITLES.get(model, model)


def panel(
    title: str,
    spans: Mapping[str, tuple[float, ...]],
    reference: float | None = None,
    digits: int = 4,
) -> Drawing:
    """Draws one row per model: a dot, and a line from the second to the third value.

    Args:
      title: of the drawing.
      spans: three values by model.
      reference: a value that is marked for all rows.
      digits: of the values that the reader sees on a dot.
    """
    values = [value for span in spans.values() for value in span]
    values += [] if reference is None else [reference]
    low, high = svg.padded(values or [0, 1])
    height, left = _ROW * len(spans) + 40, svg.room_for([title_of(model) for model in spans])
    drawn = svg.Panel((low, high), (len(spans) - 0.5, -0.5), height=height, left=left)
    drawn.x_axis(svg.ticks(low, high, wanted=5), grid=True)
    if reference is not None:
        drawn.rule((reference, -0.5), (reference, len(spans) - 0.5))
    for at, (model, (middle, left, right)) in enumerate(spans.items()):
        drawn.row_name(at, title_of(model))
        drawn.rule((left, at), (right, at), "whisker")
        shown = ", ".join(formats.fixed(value, digits) for value in (middle, left, right))
        color = "s1" if model == "dmf" else "s2"
        drawn.dot((middle, at), color, f"{title_of(model)}: {shown}")
    return Drawing(title, drawn.svg(f"{title} by model."))
