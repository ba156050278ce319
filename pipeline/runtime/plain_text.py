"""Text from files and flags on its way to a terminal or a script: no character acts or hides."""

import re

from features.errors import UserInputError

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Controls, line separators, changes of direction, and bytes that were not UTF-8."""

LAYOUT = "\n\t"
"""What text of several lines keeps."""


def escaped(text: str, keep: str = "") -> str:
    r"""Returns text in which hidden characters are seen and do nothing.

    >>> escaped("a\x1b[31mb\n")
    'a\\x1b[31mb\\n'

    Args:
      text: of any source.
      keep: characters to leave as they are, such as line ends.
    """
    return _HIDDEN.sub(lambda match: match[0] if match[0] in keep else ascii(match[0])[1:-1], text)


def say(text: str) -> None:
    """Prints a job's result; line ends and tabs are the only controls that reach the terminal."""
    print(escaped(text, LAYOUT), flush=True)


def check(text: str, what: str) -> str:
    """Returns text that a script, a manifest or a command line can hold; line ends are allowed.

    Raises:
      UserInputError: it has another hidden character; `what` is named.
    """
    for match in _HIDDEN.finditer(text):
        if match[0] not in LAYOUT:
            raise UserInputError(
                f"{what} {text!r} has the character {match[0]!a}, which is a control or not "
                "UTF-8. Expected text that can be printed; remove it."
            )
    return text
