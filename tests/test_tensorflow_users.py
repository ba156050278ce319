"""The newest TensorFlow runs every test file that may behave differently under it."""

import subprocess
import sys

import pytest

from tests import layout, tensorflow_users
from tests.conftest import REPOSITORY

TESTS = [path for path in layout.sources("tests") if path.name.startswith("test_")]


def module_of(path):
    return layout.module_name(layout.relative(path))


@pytest.mark.parametrize(
    ("source", "package"),
    [
        # Through modules of ours, whichever way they are named.
        ("from models import dmf", "tensorflow"),
        ("from models.dmf import DMF", "tensorflow"),
        ("import models.training.fit", "tensorflow"),
        ("from tests import synthetic", "tensorflow"),
        ("from pipeline.local_serving import servable", "tensorflow"),
        ("from features.records import example", "tensorflow"),
        # What a process runs is not seen.
        ("import subprocess\nsubprocess.run(['python', '-m', f'pipeline.{job}'])", "subprocess"),
        ("from tests import server_process", "subprocess"),
        ("from importlib import import_module", "importlib"),
        ("__import__('tensor' + 'flow')", "__import__"),
    ],
)
def test_what_may_behave_differently_is_in(source, package):
    assert tensorflow_users.reason("tests/pipeline/test_new.py", source) == package


def test_the_fixtures_of_its_folder_and_of_those_above_count():
    assert tensorflow_users.reason("tests/serving_signatures/test_new.py", "") is not None
    assert tensorflow_users.reason("tests/serving_signatures/skew/test_new.py", "") is not None
    assert tensorflow_users.reason("tests/features/test_new.py", "") is None


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np",
        "import apache_beam as beam",
        "from features.embeddings import similarity",
        "from tests.conftest import REPOSITORY",
        "'tensorflow'",
        # What only reads, with TensorFlow, what was written without it.
        "import tensorflow as tf",
        "from tests.pipeline.join import oracle",
    ],
)
def test_what_cannot_is_out(source):
    assert tensorflow_users.reason("tests/features/test_new.py", source) is None


def test_what_the_lock_moves_counts_but_numpy():
    moved = tensorflow_users.moved_packages()
    assert {"tensorflow", "tf_keras", "google", "tensorboard", "tensorflow_serving"} <= moved
    assert "numpy" not in moved


def test_what_a_file_that_is_out_tests_loads_no_tensorflow():
    out = [path for path in TESTS if not tensorflow_users.is_one(path)]
    assert out
    waiting = {name for path in out for name in tensorflow_users.imported_by(module_of(path))}
    reached: set[str] = set()
    while waiting:
        reached |= waiting
        ours = waiting & tensorflow_users.files().keys()
        waiting = set().union(*map(tensorflow_users.imported_by, ours)) - reached
    names = sorted(reached & layout.modules())
    assert {"pipeline.join.job", "features.schema"} <= set(names)
    code = "import sys\n" + "".join(f"import {name}\n" for name in names)
    code += "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    # Beam brings protobuf.
    moved = tensorflow_users.moved_packages() - {"google"} | tensorflow_users.ON_TENSORFLOW
    assert "apache_beam" in loaded
    assert loaded & moved == set()


def test_the_option_collects_those_alone():
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "--tensorflow-only"]
    run = subprocess.run(
        [*command, "-p", "no:cacheprovider", "tests/features"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    collected = {line.split("::")[0] for line in run.stdout.splitlines() if "::" in line}
    folder = REPOSITORY / "tests/features"
    expected = {path for path in folder.rglob("test_*.py") if tensorflow_users.is_one(path)}
    assert collected == set(map(layout.relative, expected))
    assert 0 < len(expected) < len(list(folder.rglob("test_*.py")))
