"""What the tests of client and server share: a server in this process, and requests by ids."""

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator
from unittest import mock

import numpy as np

from features.records.requests import PaddedSizes, RankingRequest, unpad
from pipeline.local_serving import model_folder, services
from pipeline.local_serving.servable import Servable
from pipeline.local_serving.served_model import ServedModel
from serving_signatures.client.channel import open_channel
from tests import manifests
from tests.serving_signatures import serving

NAME = "ctr"
SIZES = PaddedSizes(candidates=(1, 4, 8, 32), behaviors=(2, 8, 16))


def copy_versions(exported: str, folder, versions=(1,)) -> str:
    """Lays an export out as the model's folder of a server that has nothing to warm up."""
    model = folder / NAME
    for version in versions:
        shutil.copytree(exported, model / str(version))
        extras = model / str(version) / "assets.extra"
        os.remove(extras / "tf_serving_warmup_requests")
        manifests.change(
            extras / "manifest.json",
            lambda values: values["files"].pop("assets.extra/tf_serving_warmup_requests"),
        )
    return str(model)


@contextlib.contextmanager
def serving_on(model: ServedModel, threads=4) -> Iterator[str]:
    """Serves on a free port, and yields the address."""
    server = services.grpc_server(model, threads)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()


class _Kept(Servable):
    """Stays loaded when a server unloads it."""

    def close(self) -> None:
        """Frees nothing: another server may load it."""


@functools.cache
def _kept(folder: str) -> _Kept:
    return _Kept(folder)


def load_once(folder: str) -> Servable:
    """Loads a version; a second server that loads it, through whatever link, gets the same one.

    To load a version and to run each signature for the first time takes seconds. Tests of what a
    client makes of servers that come and go need neither again.
    """
    return _kept(os.path.realpath(folder))


@contextlib.contextmanager
def opened(folder: str, load=Servable, **options) -> Iterator[ServedModel]:
    """Opens a model's folder, each version as `load` does it, and yields the model."""
    loading = functools.partial(ServedModel, load=load)
    with mock.patch.object(model_folder, "ServedModel", loading):
        model = model_folder.open_model(folder, **options)
    yield model
    model.close()


@contextlib.contextmanager
def served(folder: str, **options) -> Iterator[tuple[ServedModel, str]]:
    """Serves a model's folder as `opened` loads it, and yields the model and the address."""
    with opened(folder, **options) as model, serving_on(model) as address:
        yield model, address


@contextlib.contextmanager
def channel_to(address: str, **options) -> Iterator:
    with open_channel(address, **{"timeout_seconds": 300.0, **options}) as channel:
        yield channel


def ranking_requests(sample, vectors_inside: bool) -> list[RankingRequest]:
    """The sample's requests without padding, as a caller has them."""
    return unpad(serving.inputs(sample, vectors_inside))


def expected_of(published, sample) -> list[np.ndarray]:
    """Scores of the SavedModel's `score_request`, called directly, by request."""
    outputs = published.score("score_request", sample)
    return [
        row[:count]
        for row, count in zip(outputs["click"], sample["candidate_mask"].sum(1), strict=True)
    ]
