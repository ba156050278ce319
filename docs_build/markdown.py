"""Where a Markdown page has code, so that a marker or a link in it is not taken for one."""

import dataclasses
import re

_FENCE = re.compile(r"^(?P<indent>[ >]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`)", re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\n]")


@dataclasses.dataclass(frozen=True)
class Fence:
    """A fenced block.

    Attributes:
      line: of its opening fence, from 1.
      info: what stands behind the opening fence, such as `sh`.
      text: between the fences, without their indentation.
      start: offset of the opening fence's line.
      end: offset behind the closing fence's line.
    """

    line: int
    info: str
    text: str
    start: int
    end: int


def line_of(text: str, offset: int) -> int:
    """Returns the number of the line, from 1, in which an offset lies."""
    return text.count("\n", 0, offset) + 1


def fences(text: str) -> list[Fence]:
    """Returns the fenced blocks of a page; one that is never closed ends with the page."""
    found = []
    at = 0
    while opening := _FENCE.search(text, at):
        close = re.compile(
            rf"^[ >]*{re.escape(opening['fence'])}{opening['fence'][0]}*[ ]*$", re.MULTILINE
        )
        closing = close.search(text, opening.end() + 1)
        at = closing.end() if closing else len(text)
        inside = text[opening.end() + 1 : closing.start() if closing else len(text)]
        indent = len(opening["indent"])
        lines = [
            line[indent:] if not line[:indent].strip(" >") else line for line in inside.splitlines()
        ]
        found.append(
            Fence(
                line_of(text, opening.start()),
                opening["info"].strip(),
                "".join(f"{line}\n" for line in lines),
                opening.start(),
                at,
            )
        )
    return found


def without_fences(text: str) -> str:
    """Returns a page of the same length and lines, with blanks instead of fenced blocks."""
    for fence in fences(text):
        blank = _NOT_NEWLINE.sub(" ", text[fence.start : fence.end])
        text = text[: fence.start] + blank + text[fence.end :]
    return text


def without_code(text: str) -> str:
    """Returns a page of the same length and lines, with blanks instead of all code.

    >>> without_code("a `b` c")
    'a     c'
    """
    return _SPAN.sub(lambda span: _NOT_NEWLINE.sub(" ", span.group()), without_fences(text))
