"""Fills the marked regions of README.md, BUILD.md, CHANGELOG.md and docs/, or checks them.

Usual commands:

    python -m docs_build --write
    python -m docs_build --check

Write after a change of a result, a setting or a flag; pictures of results are drawn too. Check
fails where a page or a picture differs from its source. Give pages as arguments to look at these
only.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from docs_build import regions, registry
from docs_build.pages import REPOSITORY, pages
from features.errors import UserInputError
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the command's flags."""
    with flag_group("One of"):
        flags.DEFINE_bool("write", False, "Fill the regions in place.")
        flags.DEFINE_bool("check", False, "Fail where a region differs from its source.")


def main() -> None:
    """Runs the command."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True)


def _main(arguments: Sequence[str]) -> None:
    if _FLAGS.write == _FLAGS.check:
        raise UserInputError("Give one of --write and --check.")
    known = pages()
    named = [Path(one).resolve() for one in arguments]
    if missing := [str(one) for one in named if not one.is_file()]:
        raise UserInputError(f"No such page: {', '.join(missing)}.")
    problems = []
    for path in named or known:
        page = path.relative_to(REPOSITORY).as_posix() if path in known else str(path)
        text = path.read_text(encoding="utf-8")
        filled, faults = regions.fill(page, text, registry.render)
        problems += faults
        if _FLAGS.check:
            problems += regions.differences(page, text, filled)
        elif filled != text:
            path.write_text(filled, encoding="utf-8")
            print(f"{page}: written")
    problems += [] if named else pictures(_FLAGS.check)
    if problems:
        raise UserInputError("\n".join([f"{len(problems)} problems", *problems]))


def pictures(check: bool) -> list[str]:
    """Draws the pictures of results that differ from them, or returns a sentence for each."""
    problems = []
    for picture, draw in registry.PICTURES.items():
        path, drawn = REPOSITORY / picture, draw()
        if path.is_file() and path.read_text(encoding="utf-8") == drawn:
            continue
        if check:
            problems.append(f"{picture} differs from its result: python -m docs_build --write")
        else:
            path.write_text(drawn, encoding="utf-8")
            print(f"{picture}: written")
    return problems


if __name__ == "__main__":
    main()
