"""The help of every benchmark."""

import importlib

import pytest

from tests import job_help
from tests.conftest import REPOSITORY

NAMES = [
    path.relative_to(REPOSITORY).as_posix().removesuffix(".py").replace("/", ".")
    for path in sorted((REPOSITORY / "benchmarks").rglob("*.py"))
    if "entry_point.run(" in path.read_text(encoding="utf-8")
]


def test_all_are_found():
    assert len(NAMES) >= 9


@pytest.mark.parametrize("name", NAMES)
def test_help_is_complete(name):
    assert job_help.faults(name, importlib.import_module(name)) == []
