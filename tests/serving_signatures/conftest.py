"""What tests share: an export with the embedding sets inside, one without, a Redis server."""

import contextlib
import dataclasses
import functools
import types
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from serving_signatures import call_size
from serving_signatures.client.redis_store import RedisProjectionStore
from serving_signatures.export import saved_model
from serving_signatures.export.saved_model import Exported, export_saved_model
from serving_signatures.signatures import ServingSignatures
from serving_signatures.versions.loaded_version import LoadedVersion
from tests import quick_python, server_process, synthetic
from tests.serving_signatures import serving
from tests.serving_signatures.client import local_server


@dataclasses.dataclass(frozen=True)
class Published:
    """An export, and the model that it is of; `version` keeps the variables alive."""

    model: Any
    embeddings: dict[str, Any]
    tables_inside: bool
    exported: Exported
    version: LoadedVersion

    @property
    def signatures(self) -> dict[str, Any]:
        return self.version.signatures

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
    return Published(
        model, embeddings, tables_inside, exported, LoadedVersion.open(exported.folder)
    )


@pytest.fixture(scope="session")
def model():
    return serving.random_model()


@pytest.fixture(scope="session")
def embeddings():
    return synthetic.embedding_sets()


@pytest.fixture(scope="session")
def traced(model, embeddings):
    """Returns the signatures of the shared model; they are traced once of each kind.

    Exports of the model take them too. Nothing may change its variables: a tag is of their values
    at the time of the trace.
    """

    @functools.cache
    def of_kind(tables_inside: bool, max_pairs: int) -> ServingSignatures:
        return ServingSignatures(model, embeddings if tables_inside else None, max_pairs)

    def of(
        one, inside=None, max_pairs=call_size.DEFAULT_MAX_PAIRS, kernels=False
    ) -> ServingSignatures:
        if one is model and not kernels and (not inside or inside is embeddings):
            return of_kind(bool(inside), max_pairs)
        return ServingSignatures(one, inside, max_pairs, kernels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_model, "ServingSignatures", of)
        yield of


@pytest.fixture(scope="session")
def with_tables(traced, model, embeddings, tmp_path_factory) -> Published:
    return _publish(tmp_path_factory.mktemp("tables"), model, embeddings, True)


@pytest.fixture(scope="session")
def with_vectors(traced, model, embeddings, tmp_path_factory) -> Published:
    return _publish(tmp_path_factory.mktemp("vectors"), model, embeddings, False)


@pytest.fixture(params=["with_tables", "with_vectors"])
def published(request) -> Published:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def served_folders(with_tables, with_vectors, tmp_path_factory) -> dict[bool, str]:
    """The model's folder of a server, by whether the tables are inside; nothing is warmed up."""
    return {
        one.tables_inside: local_server.copy_versions(
            one.exported.folder, tmp_path_factory.mktemp("served")
        )
        for one in (with_tables, with_vectors)
    }


@pytest.fixture(scope="session")
def addresses(served_folders) -> Iterator[dict[bool, str]]:
    """Of two servers, by whether the tables are inside."""
    with contextlib.ExitStack() as stack:
        yield {
            inside: stack.enter_context(local_server.served(folder, load=local_server.load_once))[1]
            for inside, folder in served_folders.items()
        }


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
