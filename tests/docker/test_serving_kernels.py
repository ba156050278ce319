"""The Bazel target of the kernels for TensorFlow Serving has the files and flags of their build.

Bazel is not needed: the file is parsed as Python, whose syntax Bazel's language has.
"""

import ast
import os
import re
import subprocess

import pytest

from kernels import build, library
from tests.conftest import REPOSITORY
from tests.test_packaging import pins

FOLDER = REPOSITORY / "docker" / "serving"
# Bazel gives -fPIC itself, and TensorFlow's headers are no system headers there.
NOT_FOR_BAZEL = {"-fPIC", "-Werror"}


@pytest.fixture(scope="module")
def target() -> dict:
    tree = ast.parse((FOLDER / "kernels" / "BUILD.bazel").read_text(encoding="utf-8"))
    (call,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "cc_library"
    )
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}


@pytest.fixture(scope="module")
def commands() -> str:
    """The commands of the page, from the copy of the kernels on."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    return page[page.index("## Native kernels") :]


def test_it_has_every_file_of_the_kernels(target):
    listed = target["srcs"] + target["textual_hdrs"]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(os.listdir(library.SOURCES))
    assert all(name.endswith((".cc", ".h")) for name in target["srcs"])
    assert all(name.endswith(".inc") for name in target["textual_hdrs"])


def test_it_is_compiled_with_the_flags_of_the_library(target):
    assert set(build.FLAGS) >= NOT_FOR_BAZEL
    assert target["copts"] == [flag for flag in build.FLAGS if flag not in NOT_FOR_BAZEL]


def test_its_ops_are_linked_though_nothing_refers_to_them(target):
    assert target["alwayslink"] == 1
    assert target["deps"] == [
        "@org_tensorflow//tensorflow/core:framework",
        "@org_tensorflow//tensorflow/core:lib",
    ]


def test_the_checkout_is_of_the_server_that_is_pinned(commands):
    assert re.findall(r"checkout (\d[\d.]*)$", commands, re.M) == [
        pins("runtime.lock")["tensorflow-serving-api"]
    ]


def test_the_edit_adds_the_target_to_the_ops_of_the_server(target, commands, tmp_path):
    (script,) = re.findall(r"sed -i '([^']*)'", commands)
    build_file = tmp_path / "BUILD"
    # As TensorFlow Serving 2.16.1 has it.
    build_file.write_text(
        'SUPPORTED_TENSORFLOW_OPS = if_v2([]) + if_not_v2([\n    "x",\n]) + [\n    "y",\n]\n'
        "    ] + SUPPORTED_TENSORFLOW_OPS,\n"
    )
    subprocess.run(["sed", "-i", script, str(build_file)], check=True)
    label = f"//tensorflow_serving/custom_ops/{target['name']}:{target['name']}"
    assert build_file.read_text() == (
        f'SUPPORTED_TENSORFLOW_OPS = ["{label}"] + if_v2([]) + if_not_v2([\n    "x",\n]) + [\n'
        '    "y",\n]\n    ] + SUPPORTED_TENSORFLOW_OPS,\n'
    )
    assert f"tensorflow_serving/custom_ops/{target['name']}" in commands
