"""`python -m docs_build` in a process of its own."""

import subprocess
import sys

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


def test_misuse_is_named():
    assert "Give one of --write and --check" in run().stderr
    assert "No such page: " in run("--check", "absent.md").stderr
