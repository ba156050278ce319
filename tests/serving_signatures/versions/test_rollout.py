"""Labels move as TensorFlow Serving lets them, and back."""

import itertools

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from features.errors import UserInputError
from serving_signatures.versions.rollout import Rollout
from tests.serving_signatures.versions.label_map import LabelMap

EMPTY = Rollout("ctr", "/models/ctr", {}, frozenset())


def parsed(rollout):
    config = text_format.Parse(rollout.render(), model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    return model


def test_the_configuration_is_tensorflow_servings_and_is_read_back(tmp_path):
    rollout = EMPTY.promote(3, "stable").serve(4).promote(4, "canary")
    model = parsed(rollout)
    assert (model.name, model.base_path, model.model_platform) == (
        "ctr",
        "/models/ctr",
        "tensorflow",
    )
    assert list(model.model_version_policy.specific.versions) == [3, 4]
    assert dict(model.version_labels) == {"stable": 3, "canary": 4}
    rollout.write(str(tmp_path))
    assert Rollout.read(str(tmp_path), "ctr") == rollout
    assert Rollout.read(str(tmp_path), "ctr", "gs://b/ctr").base_path == "gs://b/ctr"


def test_without_a_configuration_nothing_is_served(tmp_path):
    assert Rollout.read(str(tmp_path), "ctr") == EMPTY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_lst {}", "is no ModelServerConfig"),
        ("model_config_list { config { name: 'other' } }", r"\['other'\], expected \['ctr'\]"),
        ("", r"configures \[\]"),
    ],
)
@pytest.mark.guarantee("foreign", "models")
def test_a_configuration_that_is_not_ours_is_left_alone(tmp_path, text, message):
    (tmp_path / "models.config").write_text(text)
    with pytest.raises(UserInputError, match=message):
        Rollout.read(str(tmp_path), "ctr")


def test_promotion_keeps_the_version_that_was_stable(tmp_path):
    rollout = EMPTY.promote(1, "stable").serve(2).promote(2, "canary").promote(2, "stable")
    assert rollout.labels == {"stable": 2, "canary": 2, "previous": 1}
    assert rollout.served == {1, 2}
    assert rollout.promote(2, "stable") == rollout
    later = rollout.serve(3).promote(3, "canary")
    assert later.served == {1, 2, 3}
    assert later.promote(3, "stable").served == {2, 3}


def test_a_label_is_not_moved_to_a_version_that_no_server_has_loaded():
    rollout = EMPTY.promote(1, "stable")
    with pytest.raises(UserInputError, match=r"Version 2 is not served yet.*stable is at 1"):
        rollout.promote(2, "stable")
    assert rollout.promote(2, "canary").labels == {"stable": 1, "canary": 2}


def test_rollback_is_to_the_previous_stable_version_and_takes_the_canary_along():
    rollout = EMPTY.promote(1, "stable").serve(2).promote(2, "canary").promote(2, "stable")
    back = rollout.rollback()
    assert back.labels == {"stable": 1, "canary": 1}
    assert back.served == {1, 2}, "who pinned version 2 finishes"
    with pytest.raises(UserInputError, match="no previous stable version"):
        back.rollback()
    again = back.promote(2, "stable")
    assert again.labels == {"stable": 2, "canary": 1, "previous": 1}
    with pytest.raises(UserInputError, match="no previous stable version"):
        EMPTY.promote(1, "stable").rollback()


def test_rollback_leaves_another_canary_where_it_is():
    rollout = EMPTY.promote(1, "stable").serve(2).promote(2, "stable").serve(3)
    assert rollout.promote(3, "canary").rollback().labels == {"stable": 1, "canary": 3}


def test_no_sequence_of_steps_makes_a_configuration_that_the_server_refuses():
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        rollout, server = EMPTY, LabelMap()
        for _ in range(12):
            version, step = int(random.integers(1, 5)), int(random.integers(4))
            try:
                if step == 0:
                    rollout = rollout.serve(version)
                elif step == 3:
                    rollout = rollout.rollback()
                else:
                    rollout = rollout.promote(version, ("stable", "canary")[step - 1])
            except UserInputError:
                refused += 1
                continue
            stable_before = server.labels.get("stable")
            server.reload(parsed(rollout))
            assert stable_before is None or server.labels["stable"] in server.loaded
            assert server.labels == rollout.labels
            assert server.loaded == rollout.served
    assert refused > 300


def test_the_server_would_refuse_what_promote_refuses():
    server = LabelMap()
    server.reload(parsed(EMPTY.promote(1, "stable")))
    moved = Rollout("ctr", "/models/ctr", {"stable": 2}, frozenset({1, 2}))
    for _ in itertools.repeat(None, 3):
        with pytest.raises(RuntimeError, match="not currently available"):
            server.reload(parsed(moved))
    assert server.loaded == {1}, "and it never loads the version either"


@pytest.mark.guarantee("damaged", "models")
def test_a_damaged_configuration_is_refused_and_an_edited_one_read(tmp_path):
    folder, random = tmp_path / "ctr", np.random.default_rng(0)
    folder.mkdir()
    written = Rollout("ctr", "/models/ctr", {"stable": 12, "canary": 14}, frozenset({12, 14}))
    written.write(str(folder))
    path = folder / "models.config"
    good = path.read_bytes()
    refused = 0
    for number in range(600):
        damaged = bytearray(good)
        place = random.integers(len(good))
        if number % 3:
            damaged[place] ^= random.integers(1, 256)
        else:
            del damaged[place:]
        path.write_bytes(damaged)
        try:
            assert Rollout.read(str(folder), "ctr") == written
        except UserInputError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 500
    edited = good.decode().partition("\n")[2].replace("14", "15")
    path.write_text(edited)
    assert Rollout.read(str(folder), "ctr").labels == {"stable": 12, "canary": 15}
