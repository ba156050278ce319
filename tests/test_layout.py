"""Holds the direction of imports (DESIGN, section 2) by reading the sources."""

import ast
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

# Package -> packages of ours that it may import besides itself.
MAY_IMPORT = {
    "features": set(),
    "models": {"features"},
    "serving_signatures": {"features", "models"},
    "pipeline": {"features", "models", "serving_signatures"},
}
# Parses the flags on behalf of every entry point.
SHARED_MAIN = "pipeline/runtime/entry_point.py"
OURS = {*MAY_IMPORT, "tests", "benchmarks"}
SOURCES = sorted(
    itertools.chain.from_iterable((REPOSITORY / package).rglob("*.py") for package in MAY_IMPORT)
)


def imported_modules(path: str, tree: ast.Module) -> list[tuple[int, str]]:
    """Line and absolute dotted name of each import, wherever in the file it stands."""
    found = []
    parents = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from absl import flags` imports absl.flags; `from a import name` is harmless.
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    return found


def violations(path: str, source: str) -> list[str]:
    """What the file at `path` (relative to the repository, with slashes) does against the rules."""
    tree = ast.parse(source)
    package = path.split("/")[0]
    has_main = any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
    is_entry_point = package == "pipeline" and path.count("/") == 1 and has_main
    of_job = package == "pipeline" and path.endswith(("/flags.py", "_flags.py"))
    may_have_flags = path == SHARED_MAIN or is_entry_point or of_job
    found = []
    for line, module in imported_modules(path, tree):
        top = module.split(".")[0]
        if top in OURS and top != package and top not in MAY_IMPORT[package]:
            found.append(f"{path}:{line}: {package} must not import {top}")
        if top == "apache_beam" and package != "pipeline":
            found.append(f"{path}:{line}: only pipeline may import apache_beam")
        if f"{module}.".startswith("absl.flags.") and not may_have_flags:
            found.append(f"{path}:{line}: absl.flags belongs in pipeline/<job>[_flags].py")
    found += [
        f"{path}:{node.lineno}: assert vanishes under python -O; raise instead"
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    return found


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_package_has_sources(package):
    # Without this, a renamed folder would make the rules below hold of nothing.
    assert any(relative(path).startswith(f"{package}/") for path in SOURCES)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_source_keeps_the_rules(path):
    assert violations(relative(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_folder_is_a_package(path):
    assert (path.parent / "__init__.py").is_file(), "the wheel would lack this folder"


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("features/a.py", "import models", "features must not import models"),
        ("features/a.py", "from pipeline.run import main", "features must not import pipeline"),
        ("features/a.py", "from ..models import dmf", "features must not import models"),
        (
            "models/a.py",
            "import serving_signatures.tags as t",
            "must not import serving_signatures",
        ),
        ("models/a.py", "def f():\n    import pipeline", "a.py:2: models must not import pipeline"),
        ("serving_signatures/a.py", "from pipeline import run", "must not import pipeline"),
        ("pipeline/a.py", "from tests import conftest", "pipeline must not import tests"),
        ("models/a.py", "import benchmarks.join", "models must not import benchmarks"),
        ("models/a.py", "import apache_beam as beam", "only pipeline may import apache_beam"),
        ("features/a.py", "from apache_beam.io import x", "only pipeline may import apache_beam"),
        ("models/a.py", "from absl import flags", "absl.flags belongs"),
        ("pipeline/a.py", "from absl import flags", "absl.flags belongs"),
        ("pipeline/sub/a.py", "import absl.flags\ndef main(): ...", "absl.flags belongs"),
        ("models/a.py", "def f(x):\n    assert x", "a.py:2: assert vanishes"),
    ],
)
def test_planted_violation_is_caught(path, source, expected):
    (found,) = violations(path, source)
    assert expected in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("features/a.py", "from features import schema\nfrom . import hashing\nimport numpy"),
        ("models/a.py", "from features.schema import Schema\nfrom absl import logging"),
        ("serving_signatures/a.py", "import models.dmf, features"),
        ("pipeline/a.py", "import apache_beam\nimport serving_signatures"),
        ("pipeline/a.py", "from absl import app, flags\ndef main(): ..."),
        ("pipeline/runtime/entry_point.py", "from absl import app, flags"),
        ("pipeline/job_flags.py", "from absl import flags"),
        ("features/a.py", "import modelsmith"),
    ],
)
def test_allowed_import_is_not_flagged(path, source):
    assert violations(path, source) == []


def test_commands_that_run_no_model_start_without_tensorflow():
    names = ("backfill", "build_examples", "ingest_embeddings", "inspect_data", "models", "runs")
    code = "import sys\n" + "".join(
        f"import pipeline.{name}\nprint({name!r}, 'tensorflow' in sys.modules)\n"
        for name in (*names, "submit", "train")
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    expected = [f"{name} False" for name in (*names, "submit")]
    assert run.stdout.splitlines() == [*expected, "train True"]
