"""Equations in Markdown as MathML, which a browser shows without a script.

`$a$` stands within a line, `$$ a $$` on lines of its own. As with Pandoc, a `$` opens an equation
only before, and closes it only behind, something that is no blank.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

from latex2mathml import converter
from markdown import Extension, Markdown
from markdown.inlinepatterns import InlineProcessor

_DISPLAYED = r"\$\$(?P<latex>[^$]+?)\$\$"
_WITHIN_A_LINE = r"(?<![\\$\w])\$(?P<latex>[^\s$](?:[^$]*[^\s$\\])?)\$(?![\w$])"

# Behind code, which has 190 and may hold a `$`, and before backslashes, which have 180.
_PRIORITY = 185


def mathml(latex: str, display: str) -> str:
    """Returns an equation as MathML.

    Args:
      latex: without dollars.
      display: `block` or `inline`.

    Raises:
      ValueError: a command is unknown, or braces do not match.
    """
    braces = re.sub(r"\\[{}]", "", latex)
    if braces.count("{") != braces.count("}"):
        raise ValueError(f"a brace is not closed in the equation {latex.strip()!r}")
    try:
        converted: str = converter.convert(latex.strip(), display=display)
    except Exception as error:
        # The converter has many kinds of errors, and none in common.
        raise ValueError(f"{type(error).__name__} in the equation {latex.strip()!r}") from error
    if unknown := re.findall(r"\\[A-Za-z]+", converted):
        raise ValueError(f"unknown {', '.join(unknown)} in the equation {latex.strip()!r}")
    return converted


class _Equation(InlineProcessor):
    def __init__(self, pattern: str, md: Markdown, display: str, report: Callable[[str], None]):
        super().__init__(pattern, md)
        self._display = display
        self._report = report

    # Markdown's base class calls its arguments otherwise in each subclass.
    def handleMatch(  # noqa: N802
        self, m: re.Match[str], data: str
    ) -> tuple[str | ElementTree.Element, int, int]:
        try:
            shown = self.md.htmlStash.store(mathml(m["latex"], self._display))
        except ValueError as error:
            self._report(str(error))
            shown = m.group()
        return shown, m.start(), m.end()


class Equations(Extension):
    """The extension of Python-Markdown.

    Args:
      report: is called with what is wrong with an equation.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        super().__init__()
        self._report = report

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """Registers the two patterns, the longer first."""
        for at, (pattern, display) in enumerate(
            ((_DISPLAYED, "block"), (_WITHIN_A_LINE, "inline"))
        ):
            equation = _Equation(pattern, md, display, self._report)
            md.inlinePatterns.register(equation, f"{display}_equation", _PRIORITY - at)
