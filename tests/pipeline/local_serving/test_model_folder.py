"""What a folder has to hold to be served, and which versions of it are."""

import shutil

import pytest

from features.errors import UserInputError
from features.files import manifest
from pipeline.local_serving.model_folder import open_model, version_folders
from pipeline.local_serving.version_labels import parse_labels
from serving_signatures.versions import exported_version
from tests.pipeline.local_serving import tiny_model


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_versions_is_refused(tmp_path, make):
    folder = tmp_path / "m"
    if make:
        (folder / "1").mkdir(parents=True)
    with pytest.raises(UserInputError, match=r"nothing to serve: expected saved_model\.pb"):
        open_model(str(folder))


def test_a_version_that_is_served_alone_keeps_its_number(tmp_path):
    tiny_model.save(tmp_path / "ctr" / "12")
    model = open_model(str(tmp_path / "ctr" / "12"))
    assert (model.name, model.versions) == ("ctr", [12])
    model.close()


@pytest.mark.guarantee("damaged", "serve_local")
def test_a_damaged_version_is_not_served_and_a_folder_that_vanishes_ends_nothing(tmp_path):
    folder = tmp_path / "ctr"
    for number in ("1", "2"):
        tiny_model.save(folder / number)
        files = exported_version.list_files(str(folder / number))
        manifest.write_manifest(str(folder / number / "assets.extra"), {"files": files})
    index = folder / "2" / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:-1] + b"!")
    model = open_model(str(folder))
    assert model.versions == [1]
    assert "variables/variables.index has another sha256" in str(model.states()[0].error)
    shutil.rmtree(folder)
    model.refresh()
    assert model.versions == [1]
    with model.servable() as (_, servable):
        servable.predict("", tiny_model.protos(tiny_model.inputs()))
    model.close()


def test_labels_are_numbers_by_name():
    assert parse_labels(["stable=3", "canary=4"]) == {"stable": 3, "canary": 4}
    for texts in (["stable"], ["stable=x"], ["=3"], ["a=1", "a=2"], ["a=-1"]):
        with pytest.raises(UserInputError, match="must be label=version"):
            parse_labels(texts)


def test_folders_whose_names_are_numbers_are_versions(tmp_path):
    for name in ("1", "00012", ".building-7", "7.tmp", "latest", "٣"):
        (tmp_path / name).mkdir()
    (tmp_path / "9").write_text("a file")
    assert {v: p.rpartition("/")[2] for v, p in version_folders(str(tmp_path)).items()} == {
        1: "1",
        12: "00012",
    }
    assert version_folders(str(tmp_path / "absent")) == {}
