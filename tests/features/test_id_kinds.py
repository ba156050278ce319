"""The kind of ids: known from the column's type, kept beside what is made of them, and compared."""

import dataclasses

import pyarrow as pa
import pytest

from features import id_kinds
from features.errors import UserInputError
from features.id_kinds import IdKinds
from features.schema import ExampleSchema
from tests.features.records.requests import SCHEMA


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.int64(), "integer"),
        (pa.uint64(), "integer"),
        (pa.string(), "string"),
        (pa.large_string(), "string"),
        (pa.dictionary(pa.int32(), pa.string()), "string"),
    ],
)
def test_the_kind_is_the_columns(kind, expected):
    assert id_kinds.of_type(kind) == expected


@pytest.mark.parametrize("received", ["integer", "string", None])
@pytest.mark.parametrize("expected", ["integer", "string", None])
def test_two_known_kinds_that_differ_are_refused_and_nothing_else(received, expected):
    arguments = (received, "--items 'a'", expected, "the model", "Write them alike.")
    if None in (received, expected) or received == expected:
        id_kinds.check(*arguments)
        return
    with pytest.raises(UserInputError) as caught:
        id_kinds.check(*arguments)
    words = {"integer": "integers", "string": "strings (by FarmHash Fingerprint64)"}
    assert str(caught.value) == (
        f"--items 'a': item ids are {words[received]}, those of the model are {words[expected]}, "
        "so no id of one would be found in the other. Write them alike."
    )


def test_a_schema_keeps_them_apart_from_equality_and_fingerprint():
    known = dataclasses.replace(SCHEMA, id_kinds=IdKinds("string", "integer"))
    written = known.to_dict()
    assert written["id_kinds"] == {
        "item": "string",
        "user": "integer",
        "string_hash": "FarmHash Fingerprint64",
    }
    assert ExampleSchema.from_dict(written).id_kinds == known.id_kinds
    assert known == SCHEMA and known.fingerprint() == SCHEMA.fingerprint()


def test_what_was_written_before_says_none():
    assert "id_kinds" not in SCHEMA.to_dict()
    assert ExampleSchema.from_dict(SCHEMA.to_dict()).id_kinds == IdKinds()
    assert id_kinds.item_kind({"dimension": 3}) is None


def test_another_hash_is_of_another_version():
    other = {"id_kinds": {"item": "string", "string_hash": "xxh64"}}
    with pytest.raises(UserInputError, match="FarmHash Fingerprint64"):
        id_kinds.item_kind(other)
    with pytest.raises(UserInputError, match="FarmHash Fingerprint64"):
        ExampleSchema.from_dict({**SCHEMA.to_dict(), **other})
