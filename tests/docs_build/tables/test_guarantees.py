"""The table of guarantees is that of the marks: nothing that is not there, nothing unknown."""

import pytest

from docs_build.tables import guarantees
from pipeline.runtime import job_list

TEST = """
import pytest

@pytest.mark.guarantee({mark})
@pytest.mark.guarantee("full disk", "train")
@pytest.mark.slow
def test_it():
    pass

def test_other():
    pass
"""


def test_marks_are_read_with_their_test():
    found = list(guarantees.marks("tests/a.py", TEST.format(mark='"killed", "run", "train"')))
    assert found == [
        ("killed", ("run", "train"), "tests/a.py::test_it"),
        ("full disk", ("train",), "tests/a.py::test_it"),
    ]


@pytest.mark.parametrize("mark", ['"killled", "train"', '"killed", "trains"', '"killed"'])
def test_what_is_unknown_is_refused(mark):
    with pytest.raises(ValueError, match=r"tests/a\.py: pytest\.mark\.guarantee"):
        list(guarantees.marks("tests/a.py", TEST.format(mark=mark)))


def test_a_cell_is_the_numbers_of_its_tests_or_says_that_there_is_none(monkeypatch):
    shown = [
        guarantees.Guarantee("killed", ("train", "export"), "b::test_b"),
        guarantees.Guarantee("killed", ("train",), "a::test_a"),
    ]
    monkeypatch.setattr(guarantees, "found", lambda: shown)
    lines = guarantees.TABLES["guarantees.matrix"]().splitlines()
    cells = {line.split(" | ")[0].strip("| `"): line.split(" | ")[1:3] for line in lines[2:]}
    assert list(cells) == job_list.names()
    assert cells["train"] == ["1, 2", "not tested"]
    assert cells["export"] == ["2", "not tested"]
    assert cells["evaluate"] == ["not tested", "not tested"]
    assert cells["submit"] == ["", ""]
    assert "| 2 | `b::test_b` |" in guarantees.TABLES["guarantees.tests"]()


def test_no_test_shows_what_cannot_happen():
    for kind, jobs, test in guarantees.found():
        for job in jobs:
            assert kind not in guarantees.CANNOT_HAPPEN.get(job, ()), test
