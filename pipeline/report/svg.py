"""One pair of axes as SVG whose colors are the page's, so that it follows light and dark.

Series have classes (`s1` to `s4`) instead of colors. All text is escaped.
"""

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from pipeline.report import formats
from pipeline.report.blocks import Drawing

Point = tuple[float, float]
Tick = tuple[float, str]
Format = Callable[[float], str]

SERIES = ("s1", "s3", "s4", "s2")
"""Classes of series in the order in which a drawing uses them."""

_WIDTH = 460
_TOP = 12
_RIGHT = 20
_BOTTOM = 44
_CHARACTER = 7.2


def series_color(index: int) -> str:
    """Returns the class of a drawing's series; classes repeat after the fourth."""
    return SERIES[index % len(SERIES)]


def ticks(low: float, high: float, text: Format | None = None, wanted: int = 5) -> list[Tick]:
    """Returns round values within a range, with their text.

    >>> ticks(0, 1)
    [(0.0, '0.0'), (0.2, '0.2'), (0.4, '0.4'), (0.6, '0.6'), (0.8, '0.8'), (1.0, '1.0')]

    There are about `wanted` values; `text` formats one, by default with the digits that tell them
    apart.
    """
    if not high > low:
        return [(low, text(low) if text else f"{low:g}")]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step) + 1e-9) + (step / power == 2.5))

    def plain(value: float) -> str:
        return f"{value:,.{digits}f}".replace("-", "−")

    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [round(index * step, 12) for index in range(first, last + 1)]
    return [(value, (text or plain)(value)) for value in values]


def padded(values: Sequence[float], share: float = 0.08, least: float = 1e-6) -> Point:
    """Returns a range around values with some air."""
    low, high = min(values), max(values)
    air = max(share * (high - low), least)
    return low - air, high + air


class Panel:
    """A pair of axes to draw on.

    >>> panel = Panel((0, 1), (0, 1), x_label="time")
    >>> panel.line([(0, 0), (1, 1)], "s1")
    >>> str(panel.svg("A rising line."))[:50]
    '<svg class="panel" viewBox="0 0 460 280" role="img'

    Args:
      x_range: values at the left and right edges.
      y_range: values at the bottom and top edges; the first may be the larger.
      x_label: below the axis.
      height: of the drawing; its width is always the same, so that text is of one size.
      left: room for the labels of the y axis.
      right: room to the right of the axes.
    """

    def __init__(
        self,
        x_range: Point,
        y_range: Point,
        *,
        x_label: str = "",
        height: float = 280,
        left: float = 48,
        right: float = _RIGHT,
    ):
        self._x, self._y = x_range, y_range
        self._height = height
        self._left, self._right = left, _WIDTH - right
        self._bottom = height - (_BOTTOM if x_label else 26)
        self._parts: list[Markup] = []
        if x_label:
            self._text((self._left + self._right) / 2, height - 6, x_label, "middle", "axis-title")

    def x_axis(self, at: Sequence[Tick], grid: bool = False) -> None:
        """Draws tick labels below the axes, and lines through them if asked."""
        for value, text in at:
            x = self._px(value)
            if grid:
                self._segment((x, _TOP), (x, self._bottom), "grid")
            self._text(x, self._bottom + 18, text, "middle", "tick")

    def y_axis(self, at: Sequence[Tick]) -> None:
        """Draws tick labels left of the axes and lines through them."""
        for value, text in at:
            y = self._py(value)
            self._segment((self._left, y), (self._right, y), "grid")
            self._text(self._left - 8, y + 4, text, "end", "tick")

    def axes(self, x_text: Format | None = None, y_text: Format | None = None) -> None:
        """Draws round tick labels of both axes, formatted by functions of the value."""
        self.y_axis(ticks(*self._y, y_text))
        self.x_axis(ticks(*self._x, x_text))

    def row_name(self, y: float, text: str, note: str = "") -> None:
        """Names a row of horizontal bars, with a smaller second line."""
        at = self._py(y)
        self._text(self._left - 10, at - 2 if note else at + 4, text, "end", "row")
        if note:
            self._text(self._left - 10, at + 13, note, "end", "tick")

    def line(self, points: Sequence[Point], color: str, dashed: bool = False) -> None:
        """Draws a line through points."""
        self._add("path", f"line {color}{' dashed' if dashed else ''}", d=self._path(points))

    def steps(self, edges: Sequence[float], values: Sequence[float], color: str) -> None:
        """Draws values as a line of steps, each from one of N + 1 edges to the next."""
        ends = zip(edges, edges[1:], values, strict=False)
        self.line([(x, value) for low, high, value in ends for x in (low, high)], color)

    def area(self, points: Sequence[Point], color: str, base: float = 0) -> None:
        """Fills between a line and a horizontal base."""
        closed = [(points[0][0], base), *points, (points[-1][0], base)]
        self._add("path", f"area {color}", d=f"{self._path(closed)}Z")

    def bar(self, x: Point, y: Point, color: str, tip: str = "") -> None:
        """Draws a rectangle between two x and two y values."""
        left, right = sorted(map(self._px, x))
        top, bottom = sorted(map(self._py, y))
        size = {"width": max(right - left, 0.8), "height": max(bottom - top, 0.8)}
        self._add("rect", f"fill {color}", _tip(tip), x=left, y=top, **size, rx=1.5)

    def dot(self, at: Point, color: str, tip: str = "", radius: float = 4) -> None:
        """Draws a dot."""
        center = {"cx": self._px(at[0]), "cy": self._py(at[1])}
        self._add("circle", f"dot {color}", _tip(tip), **center, r=radius)

    def rule(self, start: Point, end: Point, css: str = "reference") -> None:
        """Draws a straight line between two values."""
        self._segment(
            (self._px(start[0]), self._py(start[1])), (self._px(end[0]), self._py(end[1])), css
        )

    def note(
        self, at: Point, text: str, *, anchor: str = "start", shift: Point = (0, 4), css: str = ""
    ) -> None:
        """Writes at a value, shifted by units of the drawing."""
        self._text(
            self._px(at[0]) + shift[0], self._py(at[1]) + shift[1], text, anchor, f"note {css}"
        )

    def drawing(self, title: str, alternative: str = "") -> Drawing:
        """Returns the titled drawing, with a description for screen readers where it differs."""
        return Drawing(title, self.svg(alternative or title))

    def svg(self, alternative: str) -> Markup:
        """Returns the drawing, with its description for screen readers."""
        return Markup(
            '<svg class="panel" viewBox="0 0 {} {:g}" role="img" aria-label="{}">{}</svg>'
        ).format(_WIDTH, self._height, alternative, Markup("").join(self._parts))

    def _px(self, x: float) -> float:
        return _place(x, self._x, (self._left, self._right))

    def _py(self, y: float) -> float:
        return _place(y, self._y, (self._bottom, _TOP))

    def _path(self, points: Sequence[Point]) -> str:
        return "M" + "L".join(f"{self._px(x):.1f} {self._py(y):.1f}" for x, y in points)

    def _segment(self, start: Point, end: Point, css: str) -> None:
        self._add("line", css, x1=start[0], y1=start[1], x2=end[0], y2=end[1])

    def _text(self, x: float, y: float, text: str, anchor: str, css: str) -> None:
        self._add("text", css, text, x=x, y=y, text_anchor=anchor)

    def _add(self, tag: str, css: str, body: str = "", **attributes: float | str) -> None:
        """Adds an element; lengths are rounded to a tenth of the drawing's unit."""
        texts = {
            name.replace("_", "-"): value if isinstance(value, str) else f"{value:.1f}"
            for name, value in attributes.items()
        }
        pairs = Markup("").join(Markup(' {}="{}"').format(*pair) for pair in texts.items())
        self._parts.append(Markup('<{0} class="{1}"{2}>{3}</{0}>').format(tag, css, pairs, body))


def share_bars(bars: Sequence[tuple[str, int, str]], x_label: str, most_names: int) -> Panel:
    """Returns bars (name, count, tip) of each count's share of the sum.

    At most `most_names` names are shown, evenly spaced.
    """
    total = sum(count for _, count, _ in bars)
    highest = max(count for _, count, _ in bars) / total
    panel = Panel((0, len(bars)), (0, 1.06 * highest), x_label=x_label)
    panel.y_axis(ticks(0, highest, formats.percent, 4))
    step = -(-len(bars) // most_names)
    for index, (name, count, tip) in enumerate(bars):
        panel.bar((index + 0.1, index + 0.9), (0, count / total), "s1", tip)
        if index % step == 0:
            panel.x_axis([(index + 0.5, name)])
    return panel


def room_for(texts: Sequence[str]) -> float:
    """Returns the width that the longest of some row names needs."""
    return 20 + _CHARACTER * max(map(len, texts), default=0)


def _place(value: float, values: Point, edges: Point) -> float:
    span = values[1] - values[0]
    share = (value - values[0]) / span if span else 0.5
    return edges[0] + share * (edges[1] - edges[0])


def _tip(text: str) -> Markup:
    return Markup("<title>{}</title>").format(text) if text else Markup("")
