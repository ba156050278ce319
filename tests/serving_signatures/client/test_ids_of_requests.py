"""A client takes ids as the model has them: the kind of the caches, of the export, or as told."""

import dataclasses

import numpy as np
import pytest

from features.files import manifest
from features.ids import hashing
from features.records.requests import PaddedSizes, RankingRequest
from serving_signatures import names
from serving_signatures.client import item_kind_of
from serving_signatures.client.catalog_store import CatalogStore
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.client.projection_store import LruProjectionStore
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import Answer

NAMED = ("candidate_item_id", "history_item_id", "history_time_gap", "history_type")
WORDS = ["b7", "7"]
HASHES = hashing.fingerprint_strings(np.array(WORDS, object)).tolist()


class Recorder:
    """Stands for a served model, and keeps what it was sent."""

    def signatures(self, version=None):
        return {names.SCORE_REQUEST: {name: np.dtype(np.int64) for name in NAMED}}

    def call(self, signature, inputs, version=None, log=None):
        self.sent = inputs
        return Answer({"click": np.full(inputs[NAMED[0]].shape, 0.5)}, 1)


def sent(client, recorder, item_ids):
    client.score_request([RankingRequest(item_ids, item_ids[:1], [60], [0])])
    assert (
        recorder.sent["history_item_id"][0, :1].tolist() == recorder.sent[NAMED[0]][0, :1].tolist()
    )
    return recorder.sent["candidate_item_id"][0, : len(item_ids)].tolist()


def client_of(recorder, caches=None, **values):
    store = None
    if caches is not None:
        empty = np.zeros(0, np.int64)
        opened = ProjectionCache(1, "tag", empty, {"key": np.zeros((1, 2))}, caches)
        store = CatalogStore({names.ID_PROJECTIONS: opened}, LruProjectionStore())
    sizes = PaddedSizes((1, 4), (1, 4))
    return RankingClient(recorder, store, sizes, **values)


@pytest.mark.parametrize(
    ("values", "given", "expected"),
    [
        ({}, [2**64 - 1, 7], [-1, 7]),
        ({"item_kind": "integer"}, [2**64 - 1, 7], [-1, 7]),
        ({"item_kind": "string"}, WORDS, HASHES),
        ({"item_kind": "fingerprint"}, HASHES, HASHES),
        ({"caches": "integer"}, [3, 7], [3, 7]),
        ({"caches": "string"}, WORDS, HASHES),
        ({"caches": "string", "item_kind": "fingerprint"}, HASHES, HASHES),
        ({"caches": "string", "item_kind": "string"}, np.array(WORDS), HASHES),
    ],
)
def test_ids_of_the_models_kind_are_sent_as_it_has_them(values, given, expected):
    recorder = Recorder()
    assert sent(client_of(recorder, **values), recorder, given) == expected


@pytest.mark.parametrize(
    ("values", "given"),
    [
        ({}, WORDS),
        ({"item_kind": "integer"}, ["7", "8"]),
        ({"caches": "integer"}, ["7", "8"]),
        ({"item_kind": "string"}, [7, 8]),
        ({"caches": "string"}, [7, 8]),
        ({"caches": "string"}, np.array(HASHES)),
    ],
)
def test_ids_of_another_kind_are_refused_before_any_call(values, given):
    recorder = Recorder()
    with pytest.raises(ValueError, match=r"candidate_item_id: expected (integers|string ids)"):
        sent(client_of(recorder, **values), recorder, given)
    assert not hasattr(recorder, "sent")


@pytest.mark.parametrize(("caches", "kind"), [("string", "integer"), ("integer", "fingerprint")])
def test_caches_of_another_kind_are_refused(caches, kind):
    with pytest.raises(ValueError, match=f"item_kind is '{kind}', but .* are of {caches} ids"):
        client_of(Recorder(), caches, item_kind=kind)


@pytest.mark.parametrize("kind", ["integer", "string", None])
def test_an_export_says_the_kind(tmp_path, kind):
    values = {"schema": {} if kind is None else {"id_kinds": {"item": kind}}}
    manifest.write_manifest(str(tmp_path / "assets.extra"), values)
    assert item_kind_of(str(tmp_path)) == kind


def test_other_numbers_are_no_ids():
    request = RankingRequest([1], [1], np.array([2**63], np.uint64), [0])
    with pytest.raises(ValueError, match="history_time_gap: expected integers, received 92233"):
        client_of(Recorder()).score_request([request])
    with pytest.raises(ValueError, match="history_item_id: expected integers, received 'x'"):
        client_of(Recorder()).score_request([dataclasses.replace(request, history_item_id=["x"])])
