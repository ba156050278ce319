"""Keras 2 is selected in one place, and an import that is too late raises a clear error."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


def run(code: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=environment,
        check=False,
    )


def test_importing_keras_3_first_is_a_clear_error():
    result = run("import tensorflow as tf; tf.keras.Model; import features")
    assert result.returncode == 1
    (last,) = result.stderr.strip().splitlines()[-1:]
    assert last.startswith("ImportError: tf.keras already is keras (Keras 3)")
    assert "set TF_USE_LEGACY_KERAS=1" in last


@pytest.mark.parametrize("imports", ["tensorflow as tf, features", "features, tensorflow as tf"])
def test_keras_2_is_selected_whichever_is_imported_first(imports):
    result = run(f"import {imports}; print(tf.keras.Model.__module__)")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("tf_keras")
