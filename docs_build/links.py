"""Links of a page as the site needs them.

A page links as the repository lies: `docs/join.md` from README.md, `../benchmarks/join.py` from
docs/join.md. The site holds docs/, README.md as its index, BUILD.md and CHANGELOG.md. A link to
anything else becomes the name of the file.
"""

import posixpath
import re
from pathlib import Path

from docs_build import markdown

TOP_PAGES = {"README.md": "index.md", "BUILD.md": "build.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the repository's top, by their place in the site."""

_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)", re.DOTALL
)
_ELSEWHERE = re.compile(r"[a-z]+:|#")


def source_of(page: str) -> str:
    """Returns where a page of the site lies in the repository.

    >>> source_of("index.md"), source_of("api/models.md")
    ('README.md', 'docs/api/models.md')
    """
    top = {place: name for name, place in TOP_PAGES.items()}
    return top.get(page, f"docs/{page}")


def rewrite(page: str, text: str, root: Path) -> tuple[str, list[str]]:
    """Returns a page of the site with its links rewritten, and its links to what is not there.

    Args:
      page: its place in the site, such as `join.md`.
      text: as the repository has it.
      root: of the repository.
    """
    problems: list[str] = []
    source = source_of(page)
    for link in reversed(list(_LINK.finditer(markdown.without_code(text)))):
        shown, target = text[link.start("text") : link.end("text")], link["target"]
        shown = rewrite(page, shown, root)[0]
        if not _ELSEWHERE.match(target):
            path, _, anchor = target.partition("#")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
            place = TOP_PAGES.get(path, path.removeprefix("docs/"))
            if not (root / path).exists():
                line = markdown.line_of(text, link.start())
                problems.append(f"{source}:{line}: {target} is not in the repository")
            elif place == path:
                name = f"`{path}`"
                replaced = name if shown.strip("`") in (path, target) else f"{shown} ({name})"
                text = text[: link.start()] + replaced + text[link.end() :]
                continue
            target = posixpath.relpath(place, posixpath.dirname(page) or ".")
            target += f"#{anchor}" if anchor else ""
        replaced = f"{link['image']}[{shown}]({target})"
        text = text[: link.start()] + replaced + text[link.end() :]
    return text, problems[::-1]
