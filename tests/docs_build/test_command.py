"""`python -m docs_build` in a process of its own."""

import subprocess
import sys

from docs_build import __main__ as command
from docs_build import registry
from tests.conftest import REPOSITORY


def run(*arguments):
    command = [sys.executable, "-m", "docs_build", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_check_fails_and_write_fills(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a <!-- = join.limit_ratio -->?<!-- / --> b\n", encoding="utf-8")
    checked = run("--check", page)
    assert checked.returncode == 2
    assert "page.md:1: join.limit_ratio: the page has '?', its source says '0.63'" in checked.stderr
    assert run("--write", page).returncode == 0
    assert page.read_text(encoding="utf-8") == "a <!-- = join.limit_ratio -->0.63<!-- / --> b\n"
    assert run("--check", page).returncode == 0


def test_a_picture_that_differs_is_named_and_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    monkeypatch.setattr(registry, "PICTURES", {"a.svg": lambda: "<svg/>"})
    path = tmp_path / "a.svg"
    for old in (None, "<old/>"):
        if old:
            path.write_text(old, encoding="utf-8")
        found = command.pictures(check=True)
        assert found == ["a.svg differs from its result: python -m docs_build --write"]
        assert (path.read_text(encoding="utf-8") if old else None) == old
        assert command.pictures(check=False) == []
        assert path.read_text(encoding="utf-8") == "<svg/>"
    assert command.pictures(check=True) == []


def test_misuse_is_named():
    assert "Give one of --write and --check" in run().stderr
    assert "No such page: " in run("--check", "absent.md").stderr
