"""A client needs one import, and a reader of caches no TensorFlow."""

import importlib.metadata
import os
import subprocess
import sys

import pytest

from serving_signatures import client
from tests.conftest import REPOSITORY


def test_one_import_has_every_public_name():
    assert [getattr(client, name).__name__ for name in client.__all__] == client.__all__
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = client.Nothing


@pytest.fixture(scope="module")
def program():
    """One that imports the client and nothing that quiets TensorFlow; it takes seconds to load."""
    code = (
        "import sys\n"
        "from serving_signatures.client import ProjectionCache, RankingRequest\n"
        "assert 'tensorflow' not in sys.modules\n"
        "from serving_signatures.client import RankingClient, RemoteModel, open_channel\n"
        "assert 'tensorflow' in sys.modules\n"
        "import tensorflow as tf\n"
        "assert tf.reduce_sum([1, 2]) == 3\n"
    )
    environment = {key: text for key, text in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_reading_a_cache_imports_no_tensorflow(program):
    assert program.returncode == 0, program.stderr


@pytest.mark.skipif(
    not importlib.metadata.version("tensorflow").startswith("2.16."),
    reason="TensorFlow 2.21 logs its start whatever TF_CPP_MIN_LOG_LEVEL says",
)
def test_a_program_that_imports_the_client_prints_nothing(program):
    assert program.stdout + program.stderr == ""
