"""A newer version comes while a client holds caches of the older one."""

import contextlib
import functools
import os
import time

import numpy as np
import pytest
import tensorflow as tf

from serving_signatures import names
from serving_signatures.client.projection_store import LruProjectionStore, ProjectionStoreError
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import RemoteModel
from serving_signatures.export import saved_model
from serving_signatures.signatures import ServingSignatures
from tests.serving_signatures import serving
from tests.serving_signatures.client import local_server

ID, CONTENT = names.ID_PROJECTIONS, names.TARGET_AWARE_PROJECTIONS


@pytest.fixture(scope="module")
def newer(embeddings, tmp_path_factory):
    """A version whose tags are all others."""
    folder = str(tmp_path_factory.mktemp("newer"))
    model = serving.random_model(seed=1)
    saved_model._save(ServingSignatures(model, embeddings), folder)
    return folder


@pytest.fixture
def folder(served_folders, tmp_path):
    """A model's folder of version 1 alone; a test may publish another."""
    folder = tmp_path / local_server.NAME
    folder.mkdir()
    os.symlink(os.path.join(served_folders[True], "1"), folder / "1")
    return str(folder)


# No server of these tests loads a version that another one has loaded.
served = functools.partial(local_server.served, load=local_server.load_once)


@pytest.fixture(scope="module")
def sample(embeddings):
    return serving.requests((2, 9, 7), embeddings, seed=12)


@pytest.fixture
def requests(sample):
    return local_server.ranking_requests(sample, vectors_inside=True)


@pytest.fixture(scope="module")
def expected(with_tables, newer, sample):
    """Scores by version, of each SavedModel called directly."""
    old = local_server.expected_of(with_tables, sample)
    loaded = tf.saved_model.load(newer)
    outputs = serving.score(loaded.signatures, "score_request", sample)["click"]
    return {1: old, 2: [row[: len(one)] for row, one in zip(outputs, old, strict=True)]}


def publish(newer, folder):
    os.symlink(newer, os.path.join(folder, "2"))


def assert_scored(scored, version, signature, expected):
    assert (scored.version, scored.signature) == (version, signature)
    for one, other in zip(scored.probabilities["click"], expected[version], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


class BatchedWithAStaleRequest(RemoteModel):
    """Sends another client's request, whose tag is of another model, in the same batch."""

    def call(self, signature, inputs, version=None, log=None):
        if signature == names.SCORE_CACHED:
            inputs = {name: np.concatenate([value, value]) for name, value in inputs.items()}
            inputs[names.ID_TAG][-1] = b"0" * 16
        return super().call(signature, inputs, version, log)


def test_a_refusal_of_another_clients_tag_costs_no_entry(folder, requests, expected):
    store = LruProjectionStore()
    with served(folder) as (_, address), local_server.channel_to(address) as channel:
        model = BatchedWithAStaleRequest(channel, local_server.NAME)
        client = RankingClient(model, store, local_server.SIZES)
        assert_scored(client.score_cached(requests), 1, "score_request", expected)
    assert client.counts()["fallbacks"] == 1
    assert f"{ID}.refusals" not in client.counts()
    assert store.tag(ID) is not None


def test_a_refused_tag_is_looked_up_no_more_and_the_request_scored_by_ids(
    folder, newer, requests, expected
):
    store = LruProjectionStore()
    with (
        served(folder) as (model, address),
        local_server.channel_to(address) as channel,
    ):
        client = RankingClient(RemoteModel(channel, local_server.NAME), store, local_server.SIZES)
        assert_scored(client.score_cached(requests), 1, "score_cached", expected)
        old = {cache: store.tag(cache) for cache in (ID, CONTENT)}
        publish(newer, folder)
        model.refresh()
        for refusals in (1, 2):  # Of one tag a time.
            assert_scored(client.score_cached(requests), 2, "score_request", expected)
            counts = client.counts()
            assert counts["fallbacks"] == refusals
            assert (
                counts.get(f"{ID}.refusals", 0) + counts.get(f"{CONTENT}.refusals", 0) == refusals
            )
        for _ in range(2):
            assert_scored(client.score_cached(requests), 2, "score_cached", expected)
        assert client.counts()["fallbacks"] == 2
        for cache, tag in old.items():
            assert store.tag(cache) not in (None, tag)


@pytest.mark.parametrize("kind", ["lru", "redis"])
def test_two_versions_share_a_store_and_keep_their_entries(
    folder, newer, requests, expected, kind, request
):
    store = LruProjectionStore() if kind == "lru" else request.getfixturevalue("redis_store")
    publish(newer, folder)
    with (
        served(folder, labels={"stable": 1, "canary": 2}) as (_, address),
        local_server.channel_to(address) as channel,
    ):

        def client_of(label):
            model = RemoteModel(channel, local_server.NAME, label)
            return RankingClient(model, store, local_server.SIZES)

        clients = {1: client_of("stable"), 2: client_of("canary")}
        for _ in range(5):
            for client in clients.values():
                client.score_cached(requests)
        for version, client in clients.items():
            before = client.counts()
            assert_scored(client.score_cached(requests), version, "score_cached", expected)
            # One request for each cache, where the store's newest tag is the other version's.
            assert before.get("fallbacks", 0) <= 2
            for cache in (ID, CONTENT):
                assert client.counts()[f"{cache}.misses"] == before[f"{cache}.misses"]
        # A process that starts anew learns its version's tags, and computes nothing.
        for version, label in ((1, "stable"), (2, "canary")):
            client = client_of(label)
            for _ in range(3):
                scored = client.score_cached(requests)
            assert_scored(scored, version, "score_cached", expected)
            assert client.counts()[f"{ID}.misses"] == client.counts()[f"{CONTENT}.misses"] == 0


def arriving_between_phases(remote, newer, folder, model):
    """Publishes the newer version when the first projections have come."""
    call_each = remote.call_each
    seen = []

    def call(signature, inputs, version):
        answers = call_each(signature, inputs, version)
        if not seen:
            publish(newer, folder)
            model.refresh()
        seen.append((signature, version))
        return answers

    remote.call_each = call
    return seen


def test_a_version_that_appears_between_phases_changes_nothing(folder, newer, requests, expected):
    with (
        served(folder) as (model, address),
        local_server.channel_to(address) as channel,
    ):
        remote = RemoteModel(channel, local_server.NAME)
        client = RankingClient(remote, sizes=local_server.SIZES)
        seen = arriving_between_phases(remote, newer, folder, model)
        assert_scored(client.score_cached(requests), 1, "score_cached", expected)
        # Each cache in two phases: few items tell the tag.
        assert seen == [(ID, None), (ID, 1), (CONTENT, 1), (CONTENT, 1)]
        assert model.versions == [1, 2]
        assert "fallbacks" not in client.counts()


def test_a_version_that_goes_between_phases_is_done_without(folder, newer, requests, expected):
    with (
        served(folder, versions=1) as (model, address),
        local_server.channel_to(address) as channel,
    ):
        remote = RemoteModel(channel, local_server.NAME)
        client = RankingClient(remote, sizes=local_server.SIZES)
        arriving_between_phases(remote, newer, folder, model)
        assert_scored(client.score_cached(requests), 2, "score_request", expected)
        assert model.versions == [2]
        assert client.counts()["fallbacks"] == 1


def test_misses_of_a_newer_model_are_not_mixed_with_hits_of_the_older(
    folder, newer, requests, expected
):
    with (
        served(folder) as (model, address),
        local_server.channel_to(address) as channel,
    ):
        client = RankingClient(RemoteModel(channel, local_server.NAME), sizes=local_server.SIZES)
        client.score_cached(requests[:1])
        publish(newer, folder)
        model.refresh()
        # The ids' misses reveal the new tag, the content's too: all is computed by version 2.
        assert_scored(client.score_cached(requests), 2, "score_cached", expected)
        assert "fallbacks" not in client.counts()


def test_a_client_of_a_label_stays_with_its_version(folder, newer, requests, expected):
    publish(newer, folder)
    with (
        served(folder, labels={"stable": 1}) as (_, address),
        local_server.channel_to(address) as channel,
    ):
        remote = RemoteModel(channel, local_server.NAME, label="stable")
        client = RankingClient(remote, sizes=local_server.SIZES)
        for _ in range(2):
            assert_scored(client.score_cached(requests), 1, "score_cached", expected)
        assert_scored(client.score_request(requests), 1, "score_request", expected)


class BrokenStore(LruProjectionStore):
    def tag(self, cache):
        raise ProjectionStoreError(f"no answer for {cache}")


def test_a_store_that_does_not_answer_is_done_without(folder, requests, expected):
    with (
        served(folder) as (_, address),
        local_server.channel_to(address) as channel,
    ):
        remote = RemoteModel(channel, local_server.NAME)
        client = RankingClient(remote, BrokenStore(), local_server.SIZES)
        assert_scored(client.score_cached(requests), 1, "score_request", expected)
        assert client.counts() == {"fallbacks": 1}


# As while a new version is rolled out over several servers.
def test_servers_of_different_versions_answer_each_request_with_one(
    folder, newer, requests, expected, tmp_path
):
    folders = [folder, str(tmp_path / "new" / local_server.NAME)]
    os.makedirs(folders[1])
    publish(newer, folders[1])
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(served(folder)) for folder in folders]
        ports = [address.rpartition(":")[2] for _, address in both]
        addresses = [f"127.0.0.1:{port}" for port in ports]
        channel = stack.enter_context(local_server.channel_to(addresses))
        client = RankingClient(RemoteModel(channel, local_server.NAME), sizes=local_server.SIZES)
        answered, end = set(), time.monotonic() + 60
        while answered != {1, 2}:
            answered.add(client.score_request(requests).version)
            assert time.monotonic() < end, f"version {answered} alone answers"
        for _ in range(6):
            scored = client.score_cached(requests)
            assert_scored(scored, scored.version, scored.signature, expected)
        # The next call of a request goes to the server that lacks its version.
        assert client.counts()["fallbacks"] > 0
