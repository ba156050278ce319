"""What a section of the report is made of; the template knows how each looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup


@dataclass(frozen=True)
class Key:
    """An entry of a legend.

    Attributes:
      color: class of the series, such as `s1`.
      name: what it is.
      mark: `fill`, `line`, `dashed` or `rule`.
    """

    color: str
    name: str
    mark: str = "fill"


@dataclass(frozen=True)
class Drawing:
    """One pair of axes.

    Attributes:
      title: what is drawn, with its unit.
      svg: the drawing.
      caption: one sentence on what is seen, where the figure has none.
    """

    title: str
    svg: Markup
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """Drawings that are looked at together.

    Attributes:
      title: names the figure.
      caption: one sentence, computed from the data, that says what is seen; nothing where each
        drawing has its own.
      drawings: from left to right.
      legend: shared by the drawings.
    """

    kind: ClassVar[str] = "figure"
    title: str
    caption: str
    drawings: Sequence[Drawing]
    legend: Sequence[Key] = ()


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
      text: what it says.
      tone: `good`, `bad` or nothing.
    """

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row.

    Attributes:
      head: one text a column, or none.
      rows: cells, or texts where there is no tone.
      caption: one sentence on what is seen, or nothing.
      numeric: whether the columns after the first are aligned to the right.
      title: names the table, or nothing.
    """

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str = ""
    numeric: bool = True
    title: str = ""


@dataclass(frozen=True)
class Ledger:
    """A sum that has to add up.

    Attributes:
      terms: number and name, the first being the total of the others.
      adds_up: whether it does.
      note: what the terms consist of, or nothing.
    """

    kind: ClassVar[str] = "ledger"
    terms: Sequence[tuple[str, str]]
    adds_up: bool
    note: str = ""


@dataclass(frozen=True)
class Ranking:
    """A scored request.

    Attributes:
      title: names it.
      caption: one sentence on what is seen.
      history: title, whether its type is the label, and its type, newest first.
      top: title, probability as text, and bar length in percent, best first.
    """

    kind: ClassVar[str] = "ranking"
    title: str
    caption: str
    history: Sequence[tuple[str, bool, str]]
    top: Sequence[tuple[str, str, float]]


@dataclass(frozen=True)
class Details:
    """A table behind a line that opens it.

    Attributes:
      summary: the line.
      table: what it opens.
      text: preformatted text above the table, or nothing.
    """

    kind: ClassVar[str] = "details"
    summary: str
    table: Table | None = None
    text: str = ""


Block = Figure | Table | Ledger | Ranking | Details


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
      anchor: its id.
      title: its heading, short enough for the navigation.
      question: what it answers.
      blocks: from top to bottom.
    """

    anchor: str
    title: str
    question: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Tile:
    """A headline number.

    Attributes:
      label: what it is.
      value: the number.
      unit: after it, or nothing.
      note: below it; what to compare it with.
      tone: of the note: `good`, `bad` or nothing.
    """

    label: str
    value: str
    unit: str = ""
    note: str = ""
    tone: str = ""
