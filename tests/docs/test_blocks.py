"""Every command of the pages exists, and every page runs from the workspace of the quickstart."""

import fcntl
import shutil
import sys
import time
from pathlib import Path

import pytest

from docs_build import code_blocks, command_checks
from tests import quick_python
from tests.conftest import REPOSITORY
from tests.docs import workspace

QUICKSTART = "docs/quickstart.md"
# Run by the interpreter, as a reader does it; the other pages by one that is quick.
AS_READERS = {"docs/embeddings.md"}
# Their commands need a container engine or a cluster: they are only checked.
CHECKED = sorted(REPOSITORY.glob("docker/*/README.md"))
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "BUILD.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *REPOSITORY.glob("examples/README.md"),
]


def name_of(path):
    return path.relative_to(REPOSITORY).as_posix()


def blocks_of(path):
    return code_blocks.blocks(name_of(path), path.read_text(encoding="utf-8"))


def runs(path):
    has_blocks = any(block.check_only is None for block in blocks_of(path))
    return has_blocks and name_of(path) != QUICKSTART


def test_every_command_names_what_exists():
    # All pages at once: the flags of all jobs are read in one process.
    found = [block for path in (*PAGES, *CHECKED) for block in blocks_of(path)]
    assert len(found) > 30
    problems = command_checks.problems(found)
    assert not problems, "\n".join(problems)


def run(path, folder):
    name = name_of(path)
    python = sys.executable if name in AS_READERS else quick_python.executable()
    return workspace.run(name, path.read_text(encoding="utf-8"), folder, python)


def make_workspace(shared):
    """Returns the folder that the quickstart leaves, and what failed in it; runs it once."""
    folder, outcome = shared / "workspace", shared / "workspace.txt"
    with open(shared / "workspace.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # The processes of one run of pytest share the folder.
        if not outcome.exists():
            folder.mkdir()
            outcome.write_text(run(REPOSITORY / QUICKSTART, folder) or "", encoding="utf-8")
    return folder, outcome.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def made(tmp_path_factory, request):
    base = tmp_path_factory.getbasetemp()
    return make_workspace(base.parent if hasattr(request.config, "workerinput") else base)


@pytest.mark.slow(seconds=90)
def test_the_quickstart_runs_in_an_empty_folder(made):
    folder, failure = made
    assert not failure, failure
    for path in ("market/impressions", "examples/manifest.json", "models/dmf", "serving/dmf/1"):
        assert (folder / path).exists(), f"{QUICKSTART} leaves no {path}, which other pages need"


@pytest.mark.slow(seconds=60)
@pytest.mark.parametrize("path", [path for path in PAGES if runs(path)], ids=name_of)
def test_a_page_runs_from_the_workspace(path, made, tmp_path):
    folder, failure = made
    if failure:
        pytest.fail(f"{QUICKSTART} failed, see its test")
    copy = tmp_path / "page"
    shutil.copytree(folder, copy)
    failure = run(path, copy)
    assert failure is None, failure


def has_ended(pid):
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # Killed; nobody has asked for its exit code.
            return True
        time.sleep(0.05)
    return False


def test_a_planted_page(tmp_path):
    page = "# T\n\n```sh\necho made > file\nsleep 300 & echo $! > pid\n```\n\n```python\n{}\n```\n"
    python = quick_python.executable()
    reads = (
        "import os\n"
        'print(open("file").read(), end="")\n'
        'with open(f"/proc/{os.getppid()}/cmdline") as parent:\n'
        '    assert "quick_python_process.server" in parent.read(), "a page is slow"\n'
    )
    assert workspace.run("docs/p.md", page.format(reads), tmp_path, python) is None
    assert has_ended(int((tmp_path / "pid").read_text()))
    failure = workspace.run("docs/p.md", page.format("import absent"), tmp_path)
    assert "docs/p.md: exit code 1" in failure
    assert "No module named 'absent'" in failure
    assert "docs/p.md:9: failed: python " in failure
