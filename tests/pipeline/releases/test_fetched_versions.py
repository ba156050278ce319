"""Versions copied from an object store: whole and what was exported, or not there."""

import contextlib

import pytest

from features.errors import UserInputError
from pipeline.releases import fetched_versions
from serving_signatures.versions.export_folder import ExportFolder
from tests import quick_python
from tests.serving_signatures import exports


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "dmf"
    for content in ("first", "second", "third"):
        exports.publish(path, content)
    return path


@pytest.fixture
def uri(s3, model):
    return s3.upload(s3.bucket(), model, "serving/dmf")


def files(folder):
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder): path.read_bytes() for path in found}


def test_the_named_versions_come_as_they_were_exported(tmp_path, model, uri):
    where = tmp_path / "dmf"
    done = quick_python.run_job(
        *("pipeline.models", "fetch", f"--export_dir={where}", f"--source={uri}"),
        "--versions=3,1",
    )
    assert done.returncode == 0, done.stderr
    assert exports.hidden(where) == []
    assert sorted(ExportFolder(str(where)).found()) == [1, 3]
    for number in "13":
        assert files(where / number) == files(model / number)
    again = fetched_versions.fetch(str(where), "s3://no-such-bucket/dmf", ["1", "3"])
    assert again.splitlines() == [f"version {number} is there and intact" for number in (1, 3)]


def test_what_was_changed_in_the_store_is_not_published(tmp_path, s3, uri):
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3.client.put_object(Bucket=bucket, Key=f"{key}/2/saved_model.pb", Body=b"SECOND")
    with pytest.raises(UserInputError, match=r"saved_model.pb has another sha256"):
        fetched_versions.fetch(str(tmp_path / "dmf"), uri, ["1", "2"])
    assert sorted(ExportFolder(str(tmp_path / "dmf")).found()) == [1]
    assert exports.hidden(tmp_path / "dmf") == []


def test_a_damaged_copy_of_a_version_is_reported(tmp_path, uri):
    fetched_versions.fetch(str(tmp_path / "dmf"), uri, ["1"])
    (tmp_path / "dmf" / "1" / "saved_model.pb").write_text("")
    with pytest.raises(UserInputError, match="Version 1 is damaged"):
        fetched_versions.fetch(str(tmp_path / "dmf"), uri, ["1"])


@pytest.mark.parametrize(
    ("source", "numbers", "expected"),
    [
        ("{}", ["7"], r"no '.*/7'|cannot be used"),
        ("/no/such/folder", ["1"], "there is no"),
        (None, ["1"], "received --source None"),
        ("{}", [], "--versions ''"),
        ("{}", ["1", "../1"], "expected the model's folder elsewhere and numbers"),
    ],
)
def test_what_is_not_there_is_reported(tmp_path, uri, source, numbers, expected):
    with pytest.raises(UserInputError, match=expected):
        fetched_versions.fetch(str(tmp_path / "dmf"), source and source.format(uri), numbers)
    with contextlib.suppress(FileNotFoundError):
        assert exports.hidden(tmp_path / "dmf") == []
