"""Blocks of a report's section; the template knows how each looks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

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
    """

    title: str
    svg: Markup


@dataclass(frozen=True)
class Figure:
    """Drawings side by side.

    Attributes:
      title: names the figure.
      caption: how to read the drawings, or nothing.
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
      text: the content.
      tone: `good`, `bad` or nothing.
    """

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row.

    Attributes:
      head: one text per column, or none.
      rows: cells, or texts where there is no tone.
      caption: how to read the table, or nothing.
      numeric: whether the columns after the first are aligned to the right.
      title: names the table, or nothing.
    """

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str = ""
    numeric: bool = True
    title: str = ""

    @classmethod
    def of(
        cls,
        head: str,
        rows: Iterable[tuple[str, Mapping[str, Any]]],
        columns: Mapping[str, Callable[[Mapping[str, Any]], Cell | str]],
        title: str = "",
    ) -> "Table":
        """Returns a table of values that one function per column formats.

        Args:
          head: heading of the first column, which holds the rows' names.
          rows: name and values of each row.
          columns: by heading, the function that makes a cell of a row's values.
          title: names the table, or nothing.
        """
        cells = [[name, *(cell(one) for cell in columns.values())] for name, one in rows]
        return cls([head, *columns], cells, title=title)


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
      caption: how to read it.
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


ReportBlock = Figure | Table | Ledger | Ranking | Details


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
      anchor: its id.
      title: its heading, short enough for the navigation.
      question: that the section answers.
      blocks: from top to bottom.
    """

    anchor: str
    title: str
    question: str
    blocks: Sequence[ReportBlock]

    @classmethod
    def of(
        cls, anchor: str, title: str, question: str, blocks: Iterable[ReportBlock | None]
    ) -> "Section | None":
        """Returns a section of the blocks that are not None; None where there is no block."""
        found = [block for block in blocks if block is not None]
        return cls(anchor, title, question, found) if found else None


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
