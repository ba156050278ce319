"""Tests of native kernels need the library, which `make kernels` builds."""

import os

import pytest

from kernels import library


@pytest.fixture
def kernels():
    """Uses the kernels for the test's duration."""
    if not os.path.exists(library.path()):
        if os.environ.get("REQUIRE_KERNELS") == "1":
            pytest.fail(f"REQUIRE_KERNELS=1, and there is no {library.path()}")
        pytest.skip("'make kernels' builds the library of native kernels")
    with library.use("on"):
        yield library.load()
