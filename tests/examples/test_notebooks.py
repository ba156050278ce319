"""The notebooks run from top to bottom, and are fit to be read as they are saved."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests import test_words
from tests.conftest import REPOSITORY
from tests.examples.notebooks import execute, printed

EXAMPLES = REPOSITORY / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
MOST_BYTES = 300_000
MOST_LINES_OF_A_CELL = 40
CACHES = ("id_projections", "target_aware_projections")
# Of any machine: folders below the root, a home, a drive.
ABSOLUTE = re.compile(r"(?<![\w./:])/(?:home|root|tmp|work|Users|usr|opt|var|mnt)\b|\b[A-Z]:\\\\")


def name_of(path: Path) -> str:
    return path.stem


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A folder of kernels, with an environment that shows them this checkout and no other."""
    folder = tmp_path_factory.mktemp("kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        yield folder


def check_run(notebook):
    assert "Traceback" not in printed(notebook, "stderr")
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert pictures


@pytest.fixture(scope="module")
def trained(kernel, tmp_path_factory):
    """The first notebook's run and its folder."""
    folder = tmp_path_factory.mktemp("notebooks")
    return execute(EXAMPLES / "1_train_and_look.ipynb", folder, kernel), folder


@pytest.mark.slow(seconds=200)
def test_training_notebook_runs(trained):
    notebook, folder = trained
    check_run(notebook)
    text = printed(notebook)
    found = {
        name: float(re.search(rf"^{name} +([\d.]+)", text, re.M)[1]) for name in ("dmf", "id_only")
    }
    assert found["dmf"] > found["id_only"] + 0.002, "content adds nothing"
    assert (folder / "build" / "models" / "dmf" / "report.html").is_file()


@pytest.fixture(scope="module")
def rollout(kernel, trained):
    """The second notebook's run, in the folder of the first, whose model it takes."""
    _, folder = trained
    return execute(EXAMPLES / "2_serve_and_roll.ipynb", folder, kernel), folder


@pytest.mark.slow(seconds=75)
def test_serving_notebook_runs(rollout):
    notebook, _ = rollout
    check_run(notebook)
    text = printed(notebook)
    differences = re.findall(r"largest difference (\d\S*)", text)
    assert len(differences) == 2
    assert max(map(float, differences)) < 1e-6, "cached scores are not those by ids"
    assert "version 2 by score_request" in text, "version 2 took a cache of version 1"
    assert "version 2 by score_cached" in text, "the second backfill did not help"
    assert text.count("'target_aware_projections.refusals': 1") == 1
    assert "id_projections.refusals" not in text
    assert "id_projections: nothing to do" in text
    assert "exit code 0" in text


@pytest.mark.slow(seconds=10)
def test_client_script_scores_what_the_notebook_left(rollout):
    build = rollout[1] / "build"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    saved_model = f"--saved_model={build / 'rollout' / 'serving' / 'dmf'}"
    command = [sys.executable, "-m", "pipeline.serve_local", saved_model, "--port=0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        try:
            address = next(
                found[0] for line in server.stderr if (found := re.search(r"localhost:\d+", line))
            )
            flags = [f"--server={address}", f"--examples={build / 'examples'}"]
            flags.append(f"--projections={build / 'rollout' / 'projections'}")
            done = subprocess.run(
                [sys.executable, EXAMPLES / "score.py", *flags],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("version 2, score_cached") == 3
    for cache in CACHES:
        assert f"'{cache}.misses': 0" in done.stdout


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_saved_notebook_is_valid_small_and_of_no_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < MOST_BYTES
    assert ABSOLUTE.findall(path.read_text(encoding="utf-8")) == []
    for cell in notebook.cells:
        assert len(cell.source.splitlines()) <= MOST_LINES_OF_A_CELL, cell.source
        for output in cell.get("outputs", ()):
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", "saved with a warning"


@pytest.mark.parametrize("text", ["'/tmp/x'", "/home/a", "in /root/b", r"C:\\\\data"])
def test_planted_path_of_a_machine_is_found(text):
    assert ABSOLUTE.search(text)


@pytest.mark.parametrize("text", ["build/tmp/x", "https://a/home", "and/or"])
def test_other_slashes_are_no_path_of_a_machine(text):
    assert not ABSOLUTE.search(text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_saved_notebook_is_of_its_cells(path):
    # Executed in order, in one run: numbers count from 1 without a gap.
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_words_and_spelling_of_a_notebook(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert test_words.idioms(text) == []
    # codespell leaves notebooks out, because it would read their pictures as words.
    (tmp_path / "cells.md").write_text(text, encoding="utf-8")
    codespell = Path(sys.executable).parent / "codespell"
    command = [codespell, "--toml", REPOSITORY / "pyproject.toml", "cells.md"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_readme_names_every_example():
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".ipynb", ".py")}
    assert {name for name in names if f"({name})" not in text} == set()
