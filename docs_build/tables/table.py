"""The layout of a table in Markdown."""

import re
from collections.abc import Callable, Sequence

from docs_build.markdown import without_code

Table = Callable[[], str]
"""Returns a table in Markdown."""

MOST_WORDS = 20
"""Of a cell."""


def words(cell: str) -> int:
    """Returns the number of words of a cell; marks and markers are none.

    >>> words("**DMF**, `a b` | <!-- = x -->5<!-- / --> ms")
    5
    """
    return len(re.findall(r"\S*\w\S*", re.sub(r"<!--.*?-->", "", cell)))


def escape(text: str) -> str:
    """Returns plain text for Markdown, which takes `<name>` outside code for HTML.

    >>> escape("/models/<name>, `<name>`")
    '/models/&lt;name>, `<name>`'
    """
    code = without_code(text)
    return "".join("&lt;" if code[at] == "<" else one for at, one in enumerate(text))


def note(name: str, text: str) -> str:
    """Returns a line of the list below a table: what its cell cannot hold."""
    return f"- `{name}`: {escape(text[0].upper() + text[1:].rstrip('.'))}."


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], numeric: bool = False) -> str:
    r"""Returns a table in Markdown.

    >>> print(markdown(("a", "b"), [("1", "x|y")]))
    | a | b |
    |---|---|
    | 1 | x\|y |

    Args:
      head: titles of the columns.
      rows: texts of the cells; a `|` in them is escaped.
      numeric: align all columns but the first to the right.

    Raises:
      ValueError: a cell has more than `MOST_WORDS` words, or a row another number of cells.
    """
    lines = [f"| {' | '.join(head)} |", f"|---|{('--:|' if numeric else '---|') * (len(head) - 1)}"]
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"{len(row)} cells under {len(head)} titles: {row}")
        for cell in row:
            if words(cell) > MOST_WORDS:
                raise ValueError(f"{words(cell)} words in a cell, at most {MOST_WORDS}: {cell!r}")
        cells = (re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
