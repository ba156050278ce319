"""File systems that TensorFlow does not know come from tensorflow-io."""

import subprocess
import sys

import pytest
import tensorflow as tf

from features.errors import UserInputError
from models.inputs import remote_files


def test_local_paths_load_neither_tensorflow_nor_tensorflow_io() -> None:
    code = (
        "import sys; from models.inputs import remote_files; remote_files.register('build/x'); "
        "print({'tensorflow', 'tensorflow_io'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_without_tensorflow_io_the_message_says_what_to_install() -> None:
    # None in sys.modules is Python's way to say that a module cannot be imported.
    code = (
        "import sys; sys.modules['tensorflow_io'] = None; from models.inputs import remote_files; "
        "remote_files.register('s3://bucket/examples')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("features.errors.UserInputError: 's3://bucket/examples'")
    assert "pip install tensorflow-io==0.37.1 tensorflow==2.16.2" in last


@pytest.mark.usefixtures("tensorflow_io")
def test_s3_is_there_after_registration() -> None:
    remote_files.register("s3://bucket/examples")
    assert "s3" in tf.io.gfile.get_registered_schemes()


@pytest.mark.usefixtures("tensorflow_io")
def test_unknown_scheme_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UserInputError, match=r"nosuch://.*s3"):
        remote_files.register("nosuch://bucket/examples")
