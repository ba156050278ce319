"""The schema, the manifest and the choice of Keras."""

import subprocess
import sys

import pytest

from features import manifest
from features.errors import UserInputError
from features.schema import ExampleSchema
from tests.conftest import REPOSITORY
from tests.features.requests import SCHEMA


def test_to_dict_and_back():
    assert ExampleSchema.from_dict(SCHEMA.to_dict()) == SCHEMA


def changed(**values):
    return {**SCHEMA.to_dict(), **values}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": []}, "labels"),
        ({"labels": ["click", "click"]}, "distinct"),
        ({"labels": ["Click!"]}, "labels"),
        ({"history_length": 0}, "history_length"),
        ({"version": 2}, "version"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"modalities": [{"name": "text", "dimension": 0}]}, "dimension"),
        ({"item_features": [{"name": "x", "kind": "text"}]}, "kind"),
    ],
)
def test_what_is_not_a_schema(values, message):
    with pytest.raises(UserInputError, match=message):
        ExampleSchema.from_dict(changed(**values))


def test_fingerprint_changes_with_every_field():
    others = [
        {"labels": ["click"]},
        {"modalities": []},
        {"history_length": 7},
        {"behavior_types": 1},
        {"item_features": []},
        {"context_features": []},
    ]
    prints = {ExampleSchema.from_dict(changed(**values)).fingerprint() for values in others}
    assert len(prints | {SCHEMA.fingerprint()}) == len(others) + 1
    assert SCHEMA.fingerprint() == "a030d7d864d90bca"


def test_manifest_round_trip_and_absence(tmp_path):
    with pytest.raises(UserInputError, match=r"no manifest\.json: it is not a complete data set"):
        manifest.read_manifest(str(tmp_path))
    manifest.write_manifest(str(tmp_path), {"a": [1]})
    found = manifest.read_manifest(str(tmp_path))
    assert found == {"a": [1], "code_version": manifest.CODE_VERSION}
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UserInputError, match="not JSON"):
        manifest.read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import features, tensorflow as tf; print(tf.keras.Model.__module__)", "tf_keras"),
        ("import tensorflow as tf; tf.keras.Model; import features", "already is keras"),
    ],
)
def test_keras_2_is_selected_or_refused(program, expected):
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={"TF_CPP_MIN_LOG_LEVEL": "3", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected in result.stdout + result.stderr


def test_code_version_is_that_of_the_distribution():
    setup = REPOSITORY / "setup.py"
    assert f'version="{manifest.CODE_VERSION}"' in setup.read_text()
