import json
import random

import pytest

from features.errors import UserInputError
from features.files import manifest

VALUES = {
    "shards": {"train-0": {"bytes": 1234, "sha256": "ab" * 32}, "deep/test-0": {"bytes": 5}},
    "splits": {"train": {"shards": ["train-0"], "records": 7, "rate": 0.1}},
    "inputs": {"events": {"files": ["/logs/a.parquet", "../b.parquet"]}},
    "nothing": None,
    "text": "Grüße",
}


@pytest.fixture
def folder(tmp_path):
    manifest.write_manifest(str(tmp_path), VALUES)
    return tmp_path


def test_values_are_read_back_and_written_again(folder):
    read = manifest.read_manifest(str(folder))
    assert {key: read[key] for key in VALUES} == VALUES
    before = (folder / "manifest.json").read_bytes()
    manifest.write_manifest(str(folder), read)
    assert (folder / "manifest.json").read_bytes() == before


def test_no_changed_byte_is_read_as_other_values(folder):
    path, generator = folder / "manifest.json", random.Random(1)
    intact, good = manifest.read_manifest(str(folder)), path.read_bytes()
    refused = 0
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 1 << generator.randrange(8)
        path.write_bytes(bytes(damaged))
        try:
            assert manifest.read_manifest(str(folder)) == intact
        except UserInputError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > len(good) / 2


@pytest.mark.parametrize("size", [0, 1, 50, 400])
def test_a_cut_manifest_is_refused(folder, size):
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserInputError, match="is not JSON"):
        manifest.read_manifest(str(folder))


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"'])
def test_what_is_no_object_is_refused(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(UserInputError, match="expected a JSON object"):
        manifest.read_manifest(str(folder))


def test_json_nested_beyond_the_parser_is_refused(folder):
    (folder / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(UserInputError, match="is not JSON"):
        manifest.read_manifest(str(folder))


def test_a_manifest_of_an_earlier_version_needs_no_checksum(folder):
    (folder / "manifest.json").write_text(json.dumps(VALUES))
    assert manifest.read_manifest(str(folder)) == VALUES


@pytest.mark.parametrize("key", ["checksum", "manifest_version"])
def test_neither_mark_of_the_checksum_can_be_left_out_alone(folder, key):
    values = json.loads((folder / "manifest.json").read_text())
    del values[key]
    (folder / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(UserInputError, match="was changed after it was written"):
        manifest.read_manifest(str(folder))


@pytest.mark.parametrize(
    "name", ["../a", "/a", "a/../../b", "..", ".", "", "a//b", "s3://bucket/a", "a\0b", 3, None]
)
@pytest.mark.parametrize(
    "place",
    [
        lambda name: {"shards": {name: {}}} if isinstance(name, str) else {"shards": [name]},
        lambda name: {"splits": {"train": {"shards": ["good", name]}}},
        lambda name: {"parts": [{"file": name}]},
        lambda name: {"vocabulary": [name]},
        lambda name: {"state": [name]},
        lambda name: {"sha256": [name]},
        lambda name: {"files": [name]},
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name, place):
    manifest.write_manifest(str(tmp_path), place(name))
    with pytest.raises(UserInputError, match="expected a name below its own folder"):
        manifest.read_manifest(str(tmp_path))


def test_entries_that_name_no_file_are_left_to_who_wrote_them(tmp_path):
    values = {"files": [{"path": "/source/a.npy"}], "parts": [{"rows": 3}], "vocabulary": 30_000}
    manifest.write_manifest(str(tmp_path), values)
    assert manifest.read_manifest(str(tmp_path))["files"] == [{"path": "/source/a.npy"}]


def test_below_refuses_what_leads_out():
    assert manifest.below("/data", "parts/a") == "/data/parts/a"
    with pytest.raises(UserInputError, match="leads out of '/data'"):
        manifest.below("/data", "../a")
