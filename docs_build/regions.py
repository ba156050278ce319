"""The marked regions of a page: a figure within a line, a table between two lines.

    It is <!-- = join.rowwise_ratio -->54<!-- / --> times as fast.

    <!-- table: join.ways -->
    ...
    <!-- /table -->

Markers in code are text.
"""

import dataclasses
import re
from collections.abc import Callable

from docs_build import markdown

_ANY = re.compile(r"<!--\s*(?:=|/|table\b)[^>]*>?")
_MARKER = re.compile(r"<!--\s*(?P<kind>=|table:|/table|/)\s*(?P<name>[\w.-]*)\s*-->")


@dataclasses.dataclass(frozen=True)
class Region:
    """A region of a page.

    Attributes:
      name: of the figure or table.
      is_table: whether it is a table.
      line: of its opening marker, from 1.
      start: offset of its content.
      end: offset behind its content.
    """

    name: str
    is_table: bool
    line: int
    start: int
    end: int


def find(page: str, text: str) -> tuple[list[Region], list[str]]:
    """Returns the regions of a page, and its faulty markers as `page:line: problem`."""
    plain = markdown.without_code(text)
    found: list[Region] = []
    problems: list[str] = []
    opened: re.Match[str] | None = None

    def report(marker: re.Match[str], problem: str) -> None:
        problems.append(f"{page}:{markdown.line_of(text, marker.start())}: {problem}")

    for candidate in _ANY.finditer(plain):
        marker = _MARKER.fullmatch(candidate.group())
        if marker is None or (marker["kind"] in ("=", "table:")) != bool(marker["name"]):
            report(candidate, "is none of <!-- = NAME -->, <!-- / -->, <!-- table: NAME -->")
        elif marker["name"]:
            if opened is not None:
                report(candidate, f"{candidate.group()} within {opened.group()}: close that first")
            opened = candidate
        elif opened is None:
            report(candidate, f"{candidate.group()} closes nothing")
        else:
            is_table = "table:" in opened.group()
            name = opened.group().removesuffix("-->").split()[-1].removeprefix("table:")
            if is_table != (marker["kind"] == "/table"):
                report(candidate, f"{candidate.group()} does not close {opened.group()}")
            elif not is_table and "\n" in plain[opened.end() : candidate.start()]:
                report(opened, f"{opened.group()} must be closed in its line by <!-- / -->")
            else:
                line = markdown.line_of(text, opened.start())
                found.append(Region(name, is_table, line, opened.end(), candidate.start()))
            opened = None
    if opened is not None:
        report(opened, f"{opened.group()} is never closed")
    return found, problems


def fill(page: str, text: str, render: Callable[[str, bool], str]) -> tuple[str, list[str]]:
    """Returns a page with its regions filled, and what is wrong with its markers.

    Args:
      page: its name, for messages.
      text: the page.
      render: returns the content of a figure or (True) table by its name; raises `LookupError`
        where there is none of that name.
    """
    found, problems = find(page, text)
    for region in reversed(found):
        try:
            content = render(region.name, region.is_table)
        except LookupError as error:
            problems.append(f"{page}:{region.line}: {error.args[0]}")
            continue
        if region.is_table:
            content = f"\n\n{content.strip()}\n\n"
        text = text[: region.start] + content + text[region.end :]
    return text, problems


def differences(page: str, text: str, filled: str) -> list[str]:
    """Returns which regions of a page are not as they would be filled."""
    pairs = zip(find(page, text)[0], find(page, filled)[0], strict=True)
    return [
        f"{page}:{old.line}: {old.name}: the page has {_short(text[old.start : old.end])}, its "
        f"source says {_short(filled[new.start : new.end])}: run python -m docs_build --write"
        for old, new in pairs
        if text[old.start : old.end] != filled[new.start : new.end]
    ]


def _short(content: str) -> str:
    content = " ".join(content.split())
    return repr(content if len(content) <= 60 else f"{content[:57]}...")
