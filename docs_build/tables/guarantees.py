"""Which test shows which guarantee of which job: read from the marks on the tests.

    @pytest.mark.guarantee("killed", "train", "evaluate")
    def test_...

says that the test shows what the page promises for that kind of fault, of these jobs.
"""

import ast
import functools
from collections.abc import Iterator
from typing import NamedTuple

from docs_build.pages import REPOSITORY
from docs_build.tables.table import Table, markdown
from pipeline.runtime import job_list

KINDS = {
    "killed": "killed",
    "full disk": "full disk",
    "no write": "no right to write",
    "damaged": "damaged input",
    "replaced": "replaced input",
    "two at once": "two at once",
    "foreign": "foreign files",
}
"""The kinds of faults, as marks name them, and the titles of their columns."""

_READS_NO_DATA = ("damaged", "replaced")
_WRITES_NOTHING = ("killed", "full disk", "no write", "two at once", "foreign")
CANNOT_HAPPEN = {
    "simulate": _READS_NO_DATA,
    "doctor": (*_READS_NO_DATA, "two at once", "foreign"),
    "runs": _WRITES_NOTHING,
    "load_projections": ("full disk", "no write"),
    "submit": (*_WRITES_NOTHING, *_READS_NO_DATA),
}
"""What a job is not exposed to, since it reads no data or leaves nothing on disk."""


class Guarantee(NamedTuple):
    """A mark on a test."""

    kind: str
    jobs: tuple[str, ...]
    test: str


def marks(path: str, source: str) -> Iterator[Guarantee]:
    """Yields the marks in a file of tests.

    Raises:
      ValueError: a mark names no kind, or no job.
    """
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for one in node.decorator_list:
            if not isinstance(one, ast.Call) or ast.unparse(one.func) != "pytest.mark.guarantee":
                continue
            kind, *jobs = (ast.literal_eval(argument) for argument in one.args)
            unknown = {kind} - set(KINDS) | set(jobs) - set(job_list.names())
            if unknown or not jobs:
                raise ValueError(f"{path}: {ast.unparse(one)}: unknown, or no job: {unknown}")
            yield Guarantee(kind, tuple(jobs), f"{path}::{node.name}")


@functools.cache
def found() -> tuple[Guarantee, ...]:
    """Returns all marks, by the paths of their tests."""
    paths = sorted((REPOSITORY / "tests").rglob("test_*.py"))
    texts = {one: one.read_text(encoding="utf-8") for one in paths}
    return tuple(
        one
        for path, text in texts.items()
        if "mark.guarantee(" in text
        for one in marks(path.relative_to(REPOSITORY).as_posix(), text)
    )


def numbers() -> dict[str, int]:
    """Returns the tests, with the numbers by which the table names them."""
    return {test: at + 1 for at, test in enumerate(sorted({one.test for one in found()}))}


def _cell(kind: str, job: str) -> str:
    if kind in CANNOT_HAPPEN.get(job, ()):
        return ""
    shown = {numbers()[one.test] for one in found() if one.kind == kind and job in one.jobs}
    return ", ".join(map(str, sorted(shown))) or "not tested"


def _matrix() -> str:
    rows = [(f"`{job}`", *(_cell(kind, job) for kind in KINDS)) for job in job_list.names()]
    return markdown(("job", *KINDS.values()), rows)


def _tests() -> str:
    rows = [(str(number), f"`{test}`") for test, number in numbers().items()]
    return markdown(("number", "test"), rows)


TABLES: dict[str, Table] = {"guarantees.matrix": _matrix, "guarantees.tests": _tests}
