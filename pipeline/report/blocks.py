"""Blocks of a report's section; the template knows how each looks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from markupsafe import Markup


class Key(NamedTuple):
    """An entry of a legend: class such as `s1`, name, and `fill`, `line`, `dashed` or `rule`."""

    color: str
    name: str
    mark: str = "fill"


class Drawing(NamedTuple):
    """One pair of axes, with a title that has its unit."""

    title: str
    svg: Markup


@dataclass(frozen=True)
class Figure:
    """Drawings side by side, with a shared legend; the caption says how to read them."""

    kind: ClassVar[str] = "figure"
    title: str
    caption: str
    drawings: Sequence[Drawing]
    legend: Sequence[Key] = ()

    @classmethod
    def of(
        cls, title: str, caption: str, drawings: Sequence[Drawing], legend: Sequence[Key] = ()
    ) -> "Figure | None":
        """Returns a figure; None where there is no drawing."""
        return cls(title, caption, drawings, legend) if drawings else None


class Cell(NamedTuple):
    """A cell of a table.

    `tone` is `good`, `bad` or nothing, `link` a page beside this one or nothing.
    """

    text: str
    tone: str = ""
    link: str = ""


@dataclass(frozen=True)
class Table:
    """A table, with or without head, caption and title; the first column names the row.

    `numeric` aligns the other columns to the right.
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
        """Returns a table of named rows of values, of which one function per column makes cells.

        `head` is the heading of the first column, the rows' names.
        """
        cells = [[name, *(cell(one) for cell in columns.values())] for name, one in rows]
        return cls([head, *columns], cells, title=title)


@dataclass(frozen=True)
class Ledger:
    """A sum that has to add up: number and name of each term, the first being the total."""

    kind: ClassVar[str] = "ledger"
    terms: Sequence[tuple[str, str]]
    adds_up: bool
    note: str = ""


@dataclass(frozen=True)
class Ranking:
    """A scored request.

    `history` has title, whether its type is the label, and its type, newest first; `top` has
    title, probability as text, and bar length in percent, best first.
    """

    kind: ClassVar[str] = "ranking"
    title: str
    caption: str
    history: Sequence[tuple[str, bool, str]]
    top: Sequence[tuple[str, str, float]]


@dataclass(frozen=True)
class Details:
    """A table, preformatted text or both behind a line that opens them."""

    kind: ClassVar[str] = "details"
    summary: str
    table: Table | None = None
    text: str = ""


ReportBlock = Figure | Table | Ledger | Ranking | Details


@dataclass(frozen=True)
class Section:
    """A section of the page, with its id, a short heading and the question that it answers."""

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


class Tile(NamedTuple):
    """A headline number, with a note on what to compare it with, `good`, `bad` or neither."""

    label: str
    value: str
    unit: str = ""
    note: str = ""
    tone: str = ""
