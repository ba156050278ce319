"""Models, catalogs and vectors that are damaged, or replaced while a backfill runs."""

import shutil

import pytest

from features.errors import UserInputError
from pipeline.catalog_backfill.backfill import backfill
from pipeline.catalog_backfill.projector import Projector
from tests import manifests
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import SMALL, contents


@pytest.fixture
def saved(plain, tmp_path):
    """A copy of the model that a test may damage."""
    return shutil.copytree(plain.folder, tmp_path / "model" / "1")


def variables(saved):
    return saved / "variables" / "variables.data-00000-of-00001"


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.guarantee("damaged", "backfill")
def test_a_damaged_model_is_refused_before_anything_is_computed(saved, data, tmp_path, computed):
    flip(variables(saved))
    with pytest.raises(
        UserInputError, match=r"is damaged: variables/variables\.data.*export the model again"
    ):
        backfill(str(saved), data.items, str(tmp_path / "out"), data.embeddings, **SMALL)
    assert not any(computed.values())
    assert not contents(tmp_path / "out")


def test_a_model_of_an_earlier_export_is_taken_without_checksums(saved, data, filled, tmp_path):
    manifests.earlier(saved / "assets.extra" / "manifest.json", without=["files"])
    backfill(str(saved), data.items, str(tmp_path / "out"), data.embeddings, **SMALL)
    parts = [name for name in contents(filled) if "/parts/" in name]
    assert parts == [name for name in contents(tmp_path / "out") if "/parts/" in name]


def test_a_model_that_cannot_be_loaded_is_refused_by_the_name_of_its_file(saved):
    flip(variables(saved))
    with pytest.raises(UserInputError, match=r"is damaged: variables/variables\.data"):
        Projector(str(saved), 64)


@pytest.fixture
def meanwhile(monkeypatch):
    """A function that has another one called as a worker computes."""

    def call(function):
        original = Projector.compute

        def compute(self, *arguments):
            monkeypatch.setattr(Projector, "compute", original)
            function()
            return original(self, *arguments)

        monkeypatch.setattr(Projector, "compute", compute)

    return call


def other_manifest(saved):
    path = saved / "assets.extra" / "manifest.json"
    path.write_text(path.read_text() + "\n")


def other_variables(saved):
    flip(variables(saved))


@pytest.mark.parametrize("change", [other_manifest, other_variables], ids=lambda f: f.__name__)
@pytest.mark.guarantee("replaced", "backfill")
def test_a_model_that_is_replaced_meanwhile_publishes_nothing(
    saved, data, tmp_path, meanwhile, change
):
    meanwhile(lambda: change(saved))
    with pytest.raises(UserInputError, match=r"is damaged(: variables/| or another file)"):
        backfill(str(saved), data.items, str(tmp_path / "out"), data.embeddings, **SMALL)
    assert not list((tmp_path / "out").rglob("CURRENT"))
    assert not list((tmp_path / "out").rglob("building"))


@pytest.mark.parametrize("name", ["items/a.parquet", "text/part-00000.parquet"])
@pytest.mark.parametrize("change", [flip, lambda path: path.unlink()], ids=["flip", "unlink"])
def test_a_catalog_or_vectors_that_change_meanwhile_publish_nothing(
    plain, data, tmp_path, meanwhile, name, change
):
    own = projection_data.write(tmp_path, data.item_ids[:200])
    meanwhile(lambda: change(tmp_path / name))
    with pytest.raises(UserInputError, match=f"{name}' changed while it was read"):
        backfill(plain.folder, own.items, str(tmp_path / "out"), own.embeddings, **SMALL)
    assert not list((tmp_path / "out").rglob("CURRENT"))
