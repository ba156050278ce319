"""Models on disk, catalogs with vectors, and caches filled once for all tests."""

import functools

import pytest
import tensorflow as tf

from pipeline.catalog_backfill.backfill import backfill
from pipeline.catalog_backfill.projector import Projector
from serving_signatures.names import CACHES
from tests import synthetic
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import ITEMS, SMALL, contents
from tests.serving_signatures import serving


@pytest.fixture(scope="session")
def model():
    return serving.random_model()


@pytest.fixture(scope="session")
def plain(model, tmp_path_factory):
    """Requests carry the vectors."""
    folder = projection_data.save_model(tmp_path_factory.mktemp("plain") / "1", model)
    return projection_data.Saved(folder, tf.saved_model.load(folder))


@pytest.fixture(scope="session")
def tables(model, tmp_path_factory):
    """The vectors are inside."""
    folder = tmp_path_factory.mktemp("tables") / "1"
    projection_data.save_model(folder, model, synthetic.embedding_sets())
    return projection_data.Saved(str(folder), tf.saved_model.load(str(folder)))


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return projection_data.write(tmp_path_factory.mktemp("data"), projection_data.catalog(ITEMS))


@pytest.fixture(scope="module", autouse=True)
def loaded_once():
    """Loads each model once for all tests of this file, rather than twice a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.saved_model, "load", functools.lru_cache(tf.saved_model.load))
        yield


@pytest.fixture(scope="session")
def first_version(plain, data, tmp_path_factory):
    """Bytes by path of an output with version 1 of both caches."""
    output = tmp_path_factory.mktemp("first") / "out"
    backfill(plain.folder, data.items, str(output), data.embeddings, **SMALL)
    return contents(output)


@pytest.fixture
def filled(first_version, tmp_path):
    """A copy of that output."""
    return projection_data.copied(first_version, tmp_path / "out")


@pytest.fixture
def computed(monkeypatch):
    """Item ids by cache that workers had the model compute since, samples not among them."""
    seen = {cache: [] for cache in CACHES}
    original = Projector.compute

    def recorded(self, cache, tag, item_ids, quantized):
        seen[cache].append(len(item_ids))
        return original(self, cache, tag, item_ids, quantized)

    monkeypatch.setattr(Projector, "compute", recorded)
    return seen
