"""The shared library of native kernels: where it is, and whether it is used."""

import contextlib
import functools
import glob
import hashlib
import os
from collections.abc import Iterator
from typing import Any, Literal

import tensorflow as tf
from absl import logging

from features.errors import UserInputError

Mode = Literal["auto", "on", "off"]

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cc")
FOLDER = os.path.join(os.path.dirname(SOURCES), "lib")
OPS = (
    "DmfBucketSoftmax",
    "DmfBucketSoftmaxGradient",
    "DmfCodeSums",
    "DmfContentRows",
    "DmfLazyAdamRows",
    "DmfNewestCodes",
    "DmfSimilarityCodes",
)
"""The ops that the library defines."""

VARIABLE = "DMF_KERNELS"
"""Environment variable that says what `auto` is: `auto`, `on` or `off`."""

# Of the process and not of a thread: a strategy traces each replica in a thread of its own.
_mode: Mode = "auto"


def path() -> str:
    """Returns the library's path, for this TensorFlow and these sources.

    A library of another TensorFlow crashes when it is loaded, and one of other sources or flags
    of the compiler computes something else, so the name has all three.
    """
    digest = hashlib.sha256()
    flags = os.path.join(os.path.dirname(os.path.abspath(__file__)), "build.py")
    for source in [*sorted(glob.glob(os.path.join(SOURCES, "*"))), flags]:
        with open(source, "rb") as file:
            digest.update(os.path.basename(source).encode() + file.read())
    return os.path.join(FOLDER, f"dmf_kernels-tf{tf.__version__}-{digest.hexdigest()[:12]}.so")


@contextlib.contextmanager
def use(mode: Mode) -> Iterator[None]:
    """Sets whether functions traced within the block contain kernels.

    Args:
      mode: `on` requires them, `off` never uses them; `auto` does what `VARIABLE` says, which
        without a value is to use them where the library was built.

    Raises:
      UserInputError: they are required, and the library is not there.
    """
    if _resolved(mode) == "on":
        load()
    global _mode
    before, _mode = _mode, mode
    try:
        yield
    finally:
        _mode = before


def ops() -> Any:
    """Returns the module of the library's ops, or None where stock ops are to be used."""
    return None if _resolved(_mode) == "off" else _loaded()


def load() -> Any:
    """Returns the module of the library's ops, whatever the mode.

    Raises:
      UserInputError: the library was not built.
    """
    module = _loaded()
    if module is None:
        raise UserInputError(
            f"Native kernels are needed, and their library is not there: expected {path()!r}. "
            "Build it with 'make kernels' (or python -m kernels.build)."
        )
    return module


def _resolved(mode: Mode) -> str:
    """Returns the mode, or what the environment says instead of `auto`."""
    if mode != "auto":
        return mode
    found = os.environ.get(VARIABLE, "auto")
    if found not in ("auto", "on", "off"):
        raise UserInputError(f"{VARIABLE} is {found!r}, expected auto, on or off.")
    return found


@functools.cache
def _loaded() -> Any:
    location = path()
    if not os.path.exists(location):
        return None
    logging.info("Native kernels: %s", location)
    return tf.load_op_library(location)
