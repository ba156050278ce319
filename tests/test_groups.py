"""One worker runs the tests that share what takes long to make."""

import types

import pytest

from tests import conftest


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("tests/serving_signatures/test_tags.py::test_a", "tests/serving_signatures"),
        ("tests/serving_signatures/skew/test_check.py::test_a[b/c::d]", "tests/serving_signatures"),
        ("tests/pipeline/catalog_backfill/test_a.py::test_a", "tests/pipeline/catalog_backfill"),
        ("tests/pipeline/join/test_job.py::test_a", "tests/pipeline/join/test_job.py"),
        ("tests/test_layout.py::test_a[tests/serving_signatures/x]", "tests/test_layout.py"),
    ],
)
def test_a_group_is_a_file_or_the_outermost_folder_with_fixtures(test, group):
    assert conftest.group(test) == group
    values = {"dist": "loadfile", "tx": ["popen", "popen"]}
    scheduler = conftest.pytest_xdist_make_scheduler(
        types.SimpleNamespace(getvalue=values.get), None
    )
    assert scheduler._split_scope(test) == group
    values["dist"] = "load"
    other = conftest.pytest_xdist_make_scheduler(types.SimpleNamespace(getvalue=values.get), None)
    assert other is None


def ordered(marks_by_file):
    """Returns the ids of tests as a worker runs them; None marks a test that is not slow."""
    items = [
        types.SimpleNamespace(
            nodeid=f"{path}::test_{number}", get_closest_marker=lambda _, mark=mark: mark
        )
        for path, marks in marks_by_file.items()
        for number, mark in enumerate(marks)
    ]
    conftest.pytest_collection_modifyitems(types.SimpleNamespace(workerinput={}), items)
    return [item.nodeid for item in items]


SLOW = pytest.mark.slow(seconds=5).mark


def test_groups_of_a_worker_begin_with_the_longest(monkeypatch):
    monkeypatch.delenv("TEST_SECONDS", raising=False)
    found = ordered({"tests/models/test_a.py": [None, SLOW], "tests/test_b.py": [SLOW, SLOW]})
    assert found == [*(f"tests/test_b.py::test_{n}" for n in (0, 1)), *found[2:]]
    assert found[2:] == [f"tests/models/test_a.py::test_{n}" for n in (0, 1)]


def test_within_a_bound_each_commit_draws_the_order_of_the_groups(monkeypatch):
    monkeypatch.setenv("TEST_SECONDS", "10")
    files = {f"tests/test_{letter}.py": [SLOW] for letter in "abcd"}
    orders = set()
    for commit in "0123456789":
        monkeypatch.setenv("TEST_ORDER", commit)
        found = ordered(files)
        assert found == ordered(dict(reversed(files.items())))
        orders.add(found[0])
    assert len(orders) > 2


@pytest.mark.parametrize(("limit", "slow", "runs"), [("0", 1, 0), ("0", 0, 1), ("", 1, 1)])
def test_slow_tests_are_left_out_once_the_time_is_over(monkeypatch, limit, slow, runs):
    monkeypatch.setenv("TEST_SECONDS", limit)
    item = types.SimpleNamespace(get_closest_marker=lambda name: slow)
    if runs:
        conftest.pytest_runtest_setup(item)
    else:
        with pytest.raises(pytest.skip.Exception, match="out of time"):
            conftest.pytest_runtest_setup(item)
