"""The commands of a page: fenced blocks with the info string `sh` or `python`.

`<!-- check only: REASON -->` on its own line before a fence says that its block cannot run where
the pages are tested. It is then only checked.
"""

import dataclasses
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from docs_build import markdown

KINDS = ("sh", "python")

_CHECK_ONLY = re.compile(r"<!--\s*check only:\s*(?P<reason>[^>]+?)\s*-->\s*\Z")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(?P<end>\w+)\1")
_BETWEEN = re.compile(r"[;&|()<>]+")
_NOT_RUN = {"if", "then", "else", "elif", "do", "while", "until", "!", "exec", "nohup", "time"}


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of commands.

    Attributes:
      page: the page's name.
      line: of its first line of code, from 1.
      kind: `sh` or `python`.
      text: the code.
      check_only: why it is not run; None if it is run.
    """

    page: str
    line: int
    kind: str
    text: str
    check_only: str | None = None


@dataclasses.dataclass(frozen=True)
class Command:
    """A simple command of a shell.

    Attributes:
      line: within its text, from 0.
      words: its name and arguments, without quotes.
    """

    line: int
    words: tuple[str, ...]


def blocks(page: str, text: str) -> list[Block]:
    """Returns the blocks of a page."""
    found = []
    for fence in markdown.fences(text):
        if fence.info in KINDS:
            reason = _CHECK_ONLY.search(text[: fence.start])
            check_only = reason["reason"] if reason else None
            found.append(Block(page, fence.line + 1, fence.info, fence.text, check_only))
    return found


def commands(text: str) -> Iterator[Command]:
    """Yields the simple commands of a shell's text; what a here-document holds is none.

    >>> [command.words for command in commands("cd a && make -C b test; ls 'x y'")]
    [('cd', 'a'), ('make', '-C', 'b', 'test'), ('ls', 'x y')]

    Raises:
      ValueError: a quote is not closed.
    """
    for number, line in _logical_lines(text.splitlines()):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for token in [*lexer, ";"]:
            if not _BETWEEN.fullmatch(token):
                if words or token not in _NOT_RUN:
                    words.append(token)
            elif set(token) <= {"<", ">"}:
                continue
            elif words:
                yield Command(number, tuple(words))
                words = []


def _logical_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yields the lines outside here-documents by number, continued ones as one."""
    waiting, start, end = "", 0, ""
    for number, line in enumerate(lines):
        if end:
            end = "" if line.strip() == end else end
            continue
        start = start if waiting else number
        waiting += line.removesuffix("\\") if line.endswith("\\") else f"{line}\n"
        if line.endswith("\\") or _is_open(waiting):
            continue
        if heredoc := _HEREDOC.search(waiting):
            end = heredoc["end"]
        yield start, waiting
        waiting = ""
    if waiting:
        yield start, waiting


def _is_open(text: str) -> bool:
    """Whether a quote of a text is not closed."""
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False


def script(page_blocks: Sequence[Block], python_file: str) -> str:
    """Returns the blocks of a page that run as one script of Bash.

    Its lines have the numbers of the page's, so that every message names the page's line. A
    failing command is shown as `page:line: failed: command`.

    Args:
      page_blocks: of one page, in order.
      python_file: with `{line}`, the file that holds the Python block of that line.
    """
    page = page_blocks[0].page if page_blocks else ""
    failed = f'printf "%s:%s: failed: %s\\n" {shlex.quote(page)} "$LINENO" "$BASH_COMMAND" >&2'
    lines = [f"set -eEuo pipefail; shopt -s inherit_errexit; trap {shlex.quote(failed)} ERR"]
    for block in page_blocks:
        if block.check_only is None:
            lines += [""] * (block.line - 1 - len(lines))
            python = shlex.join(["python", python_file.format(line=block.line)])
            lines += [python] if block.kind == "python" else block.text.splitlines()
    return "".join(f"{line}\n" for line in lines)
