"""Builds the library of native kernels: `python -m kernels.build`, or `make kernels`."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import tensorflow as tf

from features.errors import UserInputError
from kernels import library

FLAGS = (
    *("-O3", "-fPIC", "-fopenmp-simd", "-Wall", "-Wextra", "-Werror"),
    # Every operation is rounded by itself, so that codes and rows have the bits of stock ops.
    *("-ffp-contract=off", "-fno-math-errno"),
    # GCC 12 warns of variables in its own header of AVX-512.
    "-Wno-maybe-uninitialized",
)
"""Of each source; the Bazel target of docker/serving has the same."""

_OLDEST_GCC = 11  # The first one that knows AVX-VNNI.
_HEADER = "tensorflow/core/framework/op_kernel.h"


def build(output: str, extra: Sequence[str] = ()) -> str:
    """Compiles and links the library, and returns its path.

    Args:
      output: the library; replaced in one step.
      extra: further flags of compiler and linker.

    Raises:
      UserInputError: there is no compiler, it is too old, TensorFlow's headers are not there, or
        a source does not compile.
    """
    compiler = _compiler()
    include = tf.sysconfig.get_include()
    if not os.path.exists(os.path.join(include, _HEADER)):
        raise UserInputError(
            f"TensorFlow's headers are not there: expected {_HEADER} in {include!r}. They are part "
            "of TensorFlow's wheel; install it again, or leave the kernels out."
        )
    flags = [
        f"-isystem{one[2:]}" if one.startswith("-I") else one
        for one in tf.sysconfig.get_compile_flags()
    ]
    os.makedirs(os.path.dirname(output), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(output)) as folder:
        objects, running = [], []
        for source in sorted(glob.glob(os.path.join(library.SOURCES, "*.cc"))):
            objects.append(os.path.join(folder, os.path.basename(source) + ".o"))
            command = [compiler, *flags, *FLAGS, *extra, "-c", source, "-o", objects[-1]]
            running.append((command, _start(command)))
        for command, process in running:
            _end(command, process)
        made = os.path.join(folder, "library.so")
        link = [compiler, "-shared", "-o", made, *objects, *extra, *tf.sysconfig.get_link_flags()]
        _end(link, _start(link))
        os.replace(made, output)
    return output


def _compiler() -> str:
    name = os.environ.get("CXX", "g++")
    found = shutil.which(name)
    if found is None:
        raise UserInputError(
            f"There is no C++ compiler {name!r}. Install GCC {_OLDEST_GCC} or later (on Debian: "
            "apt-get install g++), or set CXX. Everything works without kernels too."
        )
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    number = subprocess.run([found, "-dumpversion"], capture_output=True, text=True, check=False)
    major = re.match(r"\d+", number.stdout)
    if "Free Software Foundation" not in version.stdout or not major:
        raise UserInputError(
            f"{found} is not GCC: {version.stdout.splitlines()[:1]}. The kernels are compiled by "
            f"GCC {_OLDEST_GCC} or later; set CXX."
        )
    if int(major[0]) < _OLDEST_GCC:
        raise UserInputError(
            f"{found} is GCC {major[0]}, expected {_OLDEST_GCC} or later. Set CXX to a newer one."
        )
    return found


def _start(command: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _end(command: Sequence[str], process: "subprocess.Popen[str]") -> None:
    output, _ = process.communicate()
    if process.returncode:
        raise UserInputError(f"{' '.join(command)} failed:\n{output}")


def main() -> None:
    """Builds the library where `library.load` looks for it, and says where that is."""
    try:
        output = library.path()
        if os.path.exists(output):
            print(f"The kernels are built already: {output}")
            return
        print(f"Built {build(output)}")
    except UserInputError as error:
        sys.exit(f"make kernels: {error}")


if __name__ == "__main__":
    main()
