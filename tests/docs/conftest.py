"""What tests of pages share: one worker runs them all, and reads the flags of jobs once."""

import types

import pytest

from docs_build import job_flags
from tests import quick_python


@pytest.fixture(scope="session", autouse=True)
def _quick_reading_of_flags():
    """Flags are read by a Python that loads every job: here one that has loaded the libraries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_flags, "sys", types.SimpleNamespace(executable=quick_python.executable()))
        yield
