"""Commands and comments for a shell, read again before they are printed."""

import re
import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from features.errors import UserInputError
from pipeline.runtime import plain_text

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def command(words: Sequence[str], variables: Mapping[str, str] = MappingProxyType({})) -> str:
    """Returns a command with its environment variables, as a shell takes it.

    >>> command(["echo", "a b"], {"HOME": "/tmp"})
    "HOME=/tmp echo 'a b'"

    Raises:
      UserInputError: a word or value cannot be printed, or a variable's name is none.
    """
    for name in variables:
        if not _NAME.fullmatch(name):
            raise UserInputError(
                f"The environment variable {name!r}: expected letters, digits and underscores."
            )
    wanted = [*(f"{name}={value}" for name, value in variables.items()), *words]
    for word in wanted:
        plain_text.check(word, "The word")
    assigned = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    text = " ".join([*assigned, shlex.join(words)])
    check(text, wanted)
    return text


def comment(text: str) -> str:
    r"""Returns a comment of one line.

    >>> comment("a\nrm -r b")
    '# a\\nrm -r b'
    """
    return f"# {plain_text.escaped(text)}"


def check(script: str, words: Sequence[str]) -> None:
    """Checks that a shell reads these words, and no more, in a script.

    Raises:
      UserInputError: it would read others.
    """
    read = shlex.split(script, comments=True)
    if read != list(words):
        raise UserInputError(f"A shell would read {read}, expected {list(words)}: not printed.")
