"""Loads libraries in a child process, so that a crash there is a fact here."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

_SECONDS = 300
_LONGEST_MESSAGE = 500

# `say` prints what was learned so far, so that a crash has a place.
_SAY = "import json, os, sys\nsay = lambda **values: print(json.dumps(values), flush=True)\n"
# tensorflow-io aborts processes that end by themselves after `s3://` was opened.
_END = "\nos._exit(0)\n"

LIBRARIES = {
    "tensorflow": """
import features
import tensorflow as tf
say(tensorflow=tf.__version__)
say(gpus=len(tf.config.list_physical_devices("GPU")))
say(keras=tf.keras.Model.__module__.partition(".")[0])
import tensorflow_recommenders
say(recommenders=True)
""",
    "serving_api": """
from tensorflow_serving.apis import predict_pb2
predict_pb2.PredictRequest().SerializeToString()
from google.protobuf.internal import api_implementation
say(protobuf=api_implementation.Type())
""",
    "beam": """
import pyarrow.parquet
say(pyarrow=True)
import apache_beam
say(beam=True)
""",
    # Its import only warns where its libraries do not load; the names of its ops load them.
    "tensorflow_io": """
import tensorflow_io
from tensorflow_io.python.ops import core_ops
dir(core_ops)
import tensorflow as tf
say(schemes=sorted(filter(None, tf.io.gfile.get_registered_schemes())))
""",
}
"""The program that loads each library."""

REMOTE_PATH = """
from features.files import storage
say(exists=storage.exists(sys.argv[1]))
from models.inputs import remote_files
import tensorflow as tf
remote_files.register(sys.argv[1])
tf.io.gfile.exists(sys.argv[1])
say(tensorflow=True)
"""


@dataclasses.dataclass(frozen=True)
class Loading:
    """The outcome of a child process.

    Attributes:
      values: reported by `say`, by name, until the process ended.
      failure: the signal or exception that ended it; empty when it succeeded.
    """

    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    failure: str = ""


def load(code: str, *arguments: str, seconds: float = _SECONDS) -> Loading:
    """Runs one of `LIBRARIES`, or `REMOTE_PATH`, in a fresh interpreter.

    Args:
      code: Python; `say(name=value)` hands a JSON value back.
      arguments: its `sys.argv[1:]`.
      seconds: after which the process is killed.
    """
    command = [sys.executable, "-c", _SAY + code + _END, *arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return Loading(failure=f"did not end within {seconds:g} s")
    values: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            values |= json.loads(line)
    return Loading(values, _failure(done.returncode, done.stderr))


def _failure(code: int, errors: str) -> str:
    """Returns the signal or the exception that ended a process, empty for none."""
    if code == 0:
        return ""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = [line for line in errors.splitlines() if line.strip()]
    if not lines:
        return f"exit code {code}"
    without_module = re.sub(r"^(\w+\.)+(?=\w+: )", "", lines[-1])
    return without_module[:_LONGEST_MESSAGE]
