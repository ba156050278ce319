"""Which versions are served, as folders come and go."""

import threading

import pytest
import tensorflow as tf

from pipeline.local_serving.served_model import ServedModel, State


class FakeServable:
    def __init__(self, folder):
        if folder == "damaged":
            raise OSError("no saved_model.pb")
        self.folder = folder
        self.closed = False

    def close(self):
        assert not self.closed
        self.closed = True


@pytest.fixture
def folders():
    return {1: "one", 2: "two", 3: "three"}


@pytest.fixture
def model(folders):
    model = ServedModel("m", lambda: folders, labels={"stable": 2}, load=FakeServable)
    model.refresh()
    return model


def states(model):
    return {one.version: one.state for one in model.states()}


def test_the_newest_are_served_and_the_newest_of_all_answers(model):
    assert model.versions == [2, 3]
    with model.servable() as (version, servable):
        assert (version, servable.folder) == (3, "three")
    with model.servable(2) as (version, servable):
        assert (version, servable.folder) == (2, "two")
    with model.servable(label="stable") as (version, _):
        assert version == 2


def test_a_new_version_is_loaded_before_the_oldest_is_unloaded(model, folders):
    with model.servable(2) as (_, old):
        folders[4] = "four"
        model.refresh()
        assert model.versions == [3, 4]
        assert states(model) == {2: State.UNLOADING, 3: State.AVAILABLE, 4: State.AVAILABLE}
        assert not old.closed, "a request still runs on it"
    assert old.closed
    assert states(model)[2] == State.END


@pytest.mark.parametrize("version", [1, 99, 0, -1])
def test_what_is_not_served_is_not_found(model, version):
    with (
        pytest.raises(tf.errors.NotFoundError, match=rf"Specific\(m, {version}\)"),
        model.servable(version),
    ):
        pass


def test_an_unknown_label_is_refused_by_name(model):
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="version label: canary"),
        model.servable(label="canary"),
    ):
        pass


def test_a_version_that_does_not_load_takes_nothing_away(model, folders):
    folders[4] = folders[5] = "damaged"
    for _ in range(2):
        model.refresh()
        assert model.versions == [2, 3]
        (failed,) = [one for one in model.states() if one.version == 5]
        assert failed.state == State.END
        assert "no saved_model.pb" in failed.error.message
    del folders[5]
    model.refresh()
    folders[5] = "repaired"
    model.refresh()
    assert model.versions == [5]


def test_versions_that_vanish_leave_the_last_ones_served(model, folders):
    folders.clear()
    model.refresh()
    assert model.versions == [2, 3]
    folders[1] = "one"
    model.refresh()
    assert model.versions == [1]


def test_no_request_meets_a_closed_version_while_versions_change(model, folders):
    stop = threading.Event()
    failures = []

    def use():
        while not stop.is_set():
            with model.servable() as (_, servable):
                failures.extend([servable] if servable.closed else [])

    threads = [threading.Thread(target=use, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(4, 300):
        folders[version] = str(version)
        model.refresh()
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert model.versions == [298, 299]
    assert list(states(model).values()).count(State.END) <= 16
    model.close()
    assert model.versions == []
