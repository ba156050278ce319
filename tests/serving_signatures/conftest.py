"""What tests share: an export with the embedding sets inside, one without, a Redis server."""

import dataclasses
import types
from typing import Any

import pytest
import redis
import tensorflow as tf

from serving_signatures.client.redis_store import RedisProjectionStore
from serving_signatures.export import saved_model
from serving_signatures.export.saved_model import Exported, export_saved_model
from tests import quick_python, server_process, synthetic
from tests.serving_signatures import serving


@dataclasses.dataclass(frozen=True)
class Published:
    """An export, and the model that it is of; `loaded` keeps the variables alive."""

    model: Any
    embeddings: dict[str, Any]
    tables_inside: bool
    exported: Exported
    loaded: Any
    signatures: dict[str, Any]

    def score(self, name, sample) -> serving.Arrays:
        return serving.score(self.signatures, name, sample, self.tables_inside)


@pytest.fixture(scope="session", autouse=True)
def _quick_parity_process():
    """Each export starts Python to load what it saved: here one that has loaded TensorFlow."""
    with pytest.MonkeyPatch.context() as patch:
        python = types.SimpleNamespace(executable=quick_python.executable())
        patch.setattr(saved_model, "sys", python)
        yield


def _publish(folder, model, embeddings, tables_inside) -> Published:
    inside = embeddings if tables_inside else None
    exported = export_saved_model(model, str(folder / "ctr"), inside)
    loaded = tf.saved_model.load(exported.folder)
    signatures = dict(loaded.signatures.items())
    return Published(model, embeddings, tables_inside, exported, loaded, signatures)


@pytest.fixture(scope="session")
def model():
    return serving.random_model()


@pytest.fixture(scope="session")
def embeddings():
    return synthetic.embedding_sets()


@pytest.fixture(scope="session")
def with_tables(model, embeddings, tmp_path_factory) -> Published:
    return _publish(tmp_path_factory.mktemp("tables"), model, embeddings, True)


@pytest.fixture(scope="session")
def with_vectors(model, embeddings, tmp_path_factory) -> Published:
    return _publish(tmp_path_factory.mktemp("vectors"), model, embeddings, False)


@pytest.fixture(params=["with_tables", "with_vectors"])
def published(request) -> Published:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def _redis_server():
    with server_process.running(server_process.redis_command) as (port, _):
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture
def redis_url(_redis_server):
    """The address of a server that holds nothing."""
    redis.Redis.from_url(_redis_server).flushall()
    return _redis_server


@pytest.fixture
def redis_store(redis_url):
    return RedisProjectionStore.connect(redis_url, timeout_seconds=10)
