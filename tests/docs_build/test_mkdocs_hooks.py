"""A small site: what it makes of its pages, and what it refuses."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

HOOKS = "docs_build/mkdocs_hooks.py"
PAGES = {
    "README.md": "# Start\n\n[Join](docs/join.md#parts), [code](setup.py).\n",
    "docs/join.md": (
        "# Join\n\n## Parts\n\n$x_i$ <!-- shown by: a test -->\n<!-- = a -->54<!-- / --> times.\n\n"
        "```text\n<!-- in code -->\n```\n"
    ),
    "setup.py": "",
}


def build(root, pages):
    for name, text in pages.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "mkdocs.yml").write_text(
        f"INHERIT: {REPOSITORY}/mkdocs.yml\n"
        f"hooks: ['{REPOSITORY / HOOKS}']\n"
        "nav: [index.md, join.md]\nplugins: []\nextra_css: []\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(root / "mkdocs.yml")]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    done = build(root, PAGES)
    assert done.returncode == 0, done.stderr
    return root / "build/site"


def test_readme_is_the_index(site):
    index = (site / "index.html").read_text(encoding="utf-8")
    assert '<a href="join.html#parts">Join</a>' in index
    assert "code (<code>setup.py</code>)" in index


def test_comments_stay_in_the_sources(site):
    page = (site / "join.html").read_text(encoding="utf-8")
    assert "shown by" not in page
    assert "54 times." in page
    assert "in code" in page
    assert "<math" in page


def test_every_fault_is_an_error(tmp_path):
    faulty = {
        **PAGES,
        "docs/join.md": "# Join\n\n[a](absent.md) [b](../absent.py)\n[c](#absent) $\\nonsense$\n",
        "docs/other.md": "# Not in nav\n",
    }
    done = build(tmp_path, faulty)
    assert done.returncode == 1
    for message in (
        "docs/join.md:3: absent.md is not in the repository",
        "docs/join.md:3: ../absent.py is not in the repository",
        "contains a link '#absent', but there is no such anchor",
        "does not contain an anchor '#parts'",
        "unknown \\nonsense in the equation",
        "other.md",
    ):
        assert message in done.stderr
