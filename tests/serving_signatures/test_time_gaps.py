"""Time gaps that cannot be are refused by name, in every signature that takes them."""

import grpc
import numpy as np
import pytest
import tensorflow as tf

from features.records import time_gaps
from features.records.requests import RankingRequest
from serving_signatures.client import RankingClient
from serving_signatures.export import parity_process
from tests.serving_signatures import serving

SIGNATURES = ("serving_default", "score_request", "score_cached")
NOW = 1_780_000_000
IN_RANGE = r"\bhistory_time_gap: expected whole seconds .*not milliseconds; received from"
IN_ORDER = r"\bhistory_time_gap: expected the oldest behavior first.*received\W+"


def with_gaps(published, signature, gaps, mask=(True, True, True, True)):
    """Inputs of a signature: two requests, the first of which has these gaps."""
    sample = serving.requests((2, 3, 4), published.embeddings)
    if signature == "serving_default":
        record = tf.train.Example.FromString(sample["examples"][0])
        record.features.feature["history_time_gap"].int64_list.value[:] = gaps
        rows = [record.SerializeToString(), sample["examples"][1]]
        return {"examples": np.array(rows, object)}
    sample["history_mask"][0] = mask
    sample["history_time_gap"][0] = gaps
    inputs = serving.inputs(sample, published.tables_inside)
    if signature == "score_cached":
        inputs = parity_process.cached_inputs(published.signatures, inputs)
    return inputs


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize(
    ("gaps", "message"),
    [
        ([60, 60, 60, -5], IN_RANGE + r"\W+-5\W+to"),
        ([NOW, NOW - 60, NOW - 90, NOW - 90], IN_RANGE + rf".*to\W+{NOW}\b"),
        ([7200_000_000, 60, 5, 0], IN_RANGE + r".*to\W+7200000000\b"),
        ([60, 7200, 7200, 7200], IN_ORDER + r"60\W+before\W+7200\b"),
        ([0, 60, 60, 90], IN_ORDER + r"60\W+before\W+90\b"),
    ],
)
def test_refused_by_name(published, signature, gaps, message):
    inputs = with_gaps(published, signature, gaps)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        parity_process.call(published.signatures[signature], inputs)


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize(
    "gaps",
    [
        [time_gaps.LONGEST, 7200, 7200, 0],
        [0, 0, 7200, 60],  # Two behaviors without a time, then two with one.
        [7200, 0, 0, 0],
        [0, 0, 0, 0],
    ],
)
def test_what_records_hold_is_scored(published, signature, gaps):
    found = parity_process.call(
        published.signatures[signature], with_gaps(published, signature, gaps)
    )
    assert np.isfinite(found["click"]).all()


@pytest.mark.parametrize("signature", ["score_request", "score_cached"])
def test_padding_may_hold_anything(published, signature):
    mask = (True, True, False, False)
    scored = published.signatures[signature]
    plain = parity_process.call(scored, with_gaps(published, signature, [90, 60, 0, 0], mask))
    wild = [90, 60, 2**62, -(2**62)]
    padded = parity_process.call(scored, with_gaps(published, signature, wild, mask))
    np.testing.assert_array_equal(plain["click"], padded["click"])


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 0)])
def test_histories_of_one_behavior_and_of_none(published, shape):
    sample = serving.requests(shape, published.embeddings)
    inputs = serving.inputs(sample, published.tables_inside)
    found = parity_process.call(published.signatures["score_request"], inputs)
    assert np.isfinite(found["click"]).all()


class NothingIsSent:
    """A model that must not be called."""

    def __getattr__(self, name):
        raise AssertionError(name)


@pytest.mark.parametrize("gaps", [[-1, 0], [NOW, NOW], [60, 7200]])
def test_the_client_refuses_before_it_sends(gaps):
    good = RankingRequest([1], [2, 3], [7200, 60], [0, 0])
    bad = RankingRequest([1], [2, 3], gaps, [0, 0])
    client = RankingClient(NothingIsSent())
    for score in (client.score_request, client.score_cached):
        with pytest.raises(ValueError, match=r"^history_time_gap of request 1: expected"):
            score([good, bad])


def test_grpc_is_told_what_is_wrong():
    # The codes of `tf.errors` are those of gRPC, which TF Serving passes on.
    code = tf.errors.InvalidArgumentError(None, None, "").error_code
    assert code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
