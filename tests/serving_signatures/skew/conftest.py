"""A joined data set, one with late vectors, and models of both kinds."""

import pytest

from tests.serving_signatures.skew import served_examples


@pytest.fixture(scope="session")
def joined(tmp_path_factory):
    return served_examples.join(tmp_path_factory.mktemp("joined"))


@pytest.fixture(scope="session")
def late(tmp_path_factory):
    return served_examples.join(tmp_path_factory.mktemp("late"), times=served_examples.TIMES)


@pytest.fixture(scope="session")
def tables(tmp_path_factory, joined):
    return served_examples.publish(tmp_path_factory.mktemp("tables"), joined, True)


@pytest.fixture(scope="session")
def vectors(tmp_path_factory, joined):
    return served_examples.publish(tmp_path_factory.mktemp("vectors"), joined, False)


@pytest.fixture(params=["tables", "vectors"])
def model(request):
    return request.getfixturevalue(request.param)
