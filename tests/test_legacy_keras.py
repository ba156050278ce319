"""Keras 2 is selected in one place, and being too late is a clear error."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


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


def test_importing_tensorflow_first_is_not_too_late():
    result = run("import tensorflow as tf, features; print(tf.keras.Model.__module__)")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("tf_keras")
