"""The schema and the manifest."""

import dataclasses

import pytest

from features.errors import UserInputError
from features.files import manifest
from features.records import running_statistics
from features.schema import ExampleSchema
from features.version import VERSION
from tests.features.records.requests import SCHEMA


def test_to_dict_and_back():
    assert ExampleSchema.from_dict(SCHEMA.to_dict()) == SCHEMA


def changed(**values):
    return {**SCHEMA.to_dict(), **values}


def running(statistics, width=2, kind="running"):
    side = {"name": "x", "kind": kind, "width": width, "statistics": statistics}
    return {"item_features": [side]}


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
        (running(["liked"], kind="numeric"), "a running feature has statistics, and no other"),
        (running([]), "a running feature has statistics, and no other"),
        (running(["liked"], width=3), r"its width is 2 .of an item. or 4 .of a user., received 3"),
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
        running(["liked"]),
        running(["bought"]),
        {"context_features": []},
    ]
    prints = {ExampleSchema.from_dict(changed(**values)).fingerprint() for values in others}
    assert len(prints | {SCHEMA.fingerprint()}) == len(others) + 1
    assert SCHEMA.fingerprint() == "a030d7d864d90bca"


@pytest.mark.parametrize("statistics", [("liked",), ("liked", "rating")])
def test_running_statistics_round_trip_and_their_columns(statistics):
    item = running_statistics.item_feature(statistics)
    user = running_statistics.context_feature(statistics)
    schema = dataclasses.replace(SCHEMA, item_features=(item,), context_features=(user,))
    assert ExampleSchema.from_dict(schema.to_dict()) == schema
    for feature in (item, user):
        assert len(running_statistics.columns(feature)) == feature.width


def test_manifest_round_trip_and_absence(tmp_path):
    with pytest.raises(UserInputError, match=r"no manifest\.json: it is not a complete data set"):
        manifest.read_manifest(str(tmp_path))
    manifest.write_manifest(str(tmp_path), {"a": [1]})
    found = manifest.read_manifest(str(tmp_path))
    assert (found["a"], found["code_version"]) == ([1], VERSION)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UserInputError, match="not JSON"):
        manifest.read_manifest(str(tmp_path))
