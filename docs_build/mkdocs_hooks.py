"""What the site does beyond MkDocs; `mkdocs.yml` names this file.

README.md is the index, BUILD.md and CHANGELOG.md are pages, links follow (`links`), equations
become MathML (`equations`), and comments of the sources stay there. What is wrong is a warning,
which a strict build takes for an error.
"""

import logging
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs_build import links, markdown
from docs_build.equations import Equations

# A warning of MkDocs' own logger counts under --strict.
_LOG = logging.getLogger("mkdocs.plugins.docs_build")

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the equations to Markdown."""
    config.markdown_extensions.append(Equations(_LOG.warning))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that lie at the top of the repository."""
    for name, place in links.TOP_PAGES.items():
        path = _root(config) / name
        if path.is_file():
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites the links of a page and takes its comments out."""
    text, problems = links.rewrite(page.file.src_uri, text, _root(config))
    for problem in problems:
        _LOG.warning(problem)
    for comment in reversed(list(_COMMENT.finditer(markdown.without_code(text)))):
        text = text[: comment.start()] + text[comment.end() :]
    return text


def _root(config: MkDocsConfig) -> Path:
    return Path(config.docs_dir).parent
