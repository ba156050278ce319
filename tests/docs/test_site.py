"""The site as `make docs` builds it: every local target exists, nothing comes from elsewhere."""

import os
import subprocess
import sys
from urllib.parse import unquote

import pytest

from tests.conftest import REPOSITORY
from tests.docs import site

SLOW = pytest.mark.slow(seconds=20)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--no-strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def texts(folder, *suffixes):
    for path in sorted(folder.rglob("*")):
        if path.suffix in suffixes:
            yield path, path.read_text(encoding="utf-8")


@SLOW
def test_nothing_is_loaded_from_another_host(built):
    found = {
        path.relative_to(built).as_posix(): remote
        for path, text in texts(built, ".html", ".css", ".svg", ".js")
        # Not the search in other languages.
        if path.parent.name != "lunr" and (remote := site.remote(path.name, text))
    }
    assert found == {}
    for path, text in texts(built, ".html"):
        for use in filter(None, site.NEVER_LOADED.values()):
            assert use not in text, path.name


@SLOW
def test_every_local_target_exists(built):
    missing = []
    for path, text in texts(built, ".html"):
        if path.name == "404.html":  # Served under any address, so its targets are absolute.
            continue
        loaded, linked = site.targets(text)
        for target in [*loaded, *linked]:
            local = unquote(target.partition("#")[0].partition("?")[0])
            if local and not site.REMOTE.match(target) and ":" not in target:
                place = os.path.normpath(path.parent / local)
                if not os.path.exists(place):
                    missing.append(f"{path.name}: {target}")
    assert missing == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://cdn.example/x.js"></script>'),
        ("a.html", '<script src="//cdn.example/x.js"></script>'),
        ("a.html", '<link rel="stylesheet" href="https://fonts.example/css">'),
        ("a.html", '<img alt="" src="https://example/x.png">'),
        ("a.html", "<style>@import 'https://example/x.css';</style>"),
        ("a.html", '<p style="background: url(https://example/x.png)">'),
        ("a.css", "@font-face {src: url(https://fonts.example/x.woff2)}"),
        ("a.svg", '<svg><style>@import url("https://fonts.example/x")</style></svg>'),
        ("a.js", 'import("https://unpkg.com/other@1")'),
    ],
)
def test_a_planted_resource_is_found(name, text):
    assert site.remote(name, text) != []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<a href="https://arxiv.org/abs/2510.11066">paper</a>'),
        ("a.html", '<math xmlns="http://www.w3.org/1998/Math/MathML"></math>'),
        (
            "a.css",
            "a{background:url('data:image/svg+xml;charset=utf-8,<svg xmlns=\"http://w3\">')}",
        ),
        ("a.js", 't("https://unpkg.com/mermaid@11/dist/mermaid.min.js")'),
    ],
)
def test_a_link_is_no_resource(name, text):
    assert site.remote(name, text) == []
