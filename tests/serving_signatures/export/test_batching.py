"""Requests of several clients, joined as TensorFlow Serving joins them, each get their own."""

import numpy as np
import pytest
import tensorflow as tf

from serving_signatures.export import parity_process
from serving_signatures.export.warmup import BATCH_SIZES
from tests.serving_signatures import serving
from tests.serving_signatures.export import batcher
from tests.serving_signatures.export.test_c_loader import signature_defs

SIGNATURES = (
    "serving_default",
    "score_request",
    "score_cached",
    "id_projections",
    "target_aware_projections",
)
STALE = b"deadbeef00000000"


def inputs_of(published, name, size, seed):
    """One client's request; C and L are the ones that clients agreed on."""
    sample = serving.requests((size, 5, 6), published.embeddings, seed=seed)
    if name == "serving_default":
        return {"examples": sample["examples"]}
    inputs = serving.inputs(sample, published.tables_inside)
    if name == "score_request":
        return inputs
    if name == "score_cached":
        return parity_process.cached_inputs(published.signatures, inputs)
    projections = parity_process.projection_inputs(inputs, "candidate")[name]
    return {key: value[:size] for key, value in projections.items()}


def caller(published, name):
    return lambda inputs: parity_process.call(published.signatures[name], inputs)


@pytest.mark.parametrize("name", SIGNATURES)
def test_every_tensor_of_a_signature_leads_with_a_batch_dimension(published, name):
    definition = signature_defs(published.exported.folder)[name]
    for key, info in [*definition.inputs.items(), *definition.outputs.items()]:
        assert not info.tensor_shape.unknown_rank, key
        assert info.tensor_shape.dim and info.tensor_shape.dim[0].size == -1, key


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (2, 1), (1, 2, 3), (3, 5), (4, 1)], ids=str)
@pytest.mark.parametrize("name", SIGNATURES)
def test_batched_requests_get_what_they_get_alone(published, name, sizes):
    requests = [inputs_of(published, name, size, seed) for seed, size in enumerate(sizes)]
    call = caller(published, name)
    batched = batcher.run(call, requests, BATCH_SIZES)
    for request, received in zip(requests, batched, strict=True):
        expected = call(request)
        assert received.keys() == expected.keys()
        for output, value in expected.items():
            if value.dtype.kind == "f":
                np.testing.assert_allclose(received[output], value, atol=1e-6, err_msg=output)
            else:
                np.testing.assert_array_equal(received[output], value, err_msg=output)
    if name.startswith("score") and len(sizes) > 1:
        first, second = (one["click"].max() for one in batched[:2])
        assert first != second, "the test could not tell the clients apart"


@pytest.mark.parametrize("tag", ["id_tag", "target_aware_tag"])
@pytest.mark.parametrize("position", [0, 4])
def test_one_stale_tag_has_the_whole_batch_refused_and_is_the_one_named(published, tag, position):
    requests = [inputs_of(published, "score_cached", 1, seed) for seed in range(5)]
    call = caller(published, "score_cached")
    stale = {**requests[position], tag: np.array([STALE])}
    mixed = [stale if index == position else one for index, one in enumerate(requests)]
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        batcher.run(call, mixed, BATCH_SIZES)
    message = str(raised.value)
    assert STALE.decode() in message and published.exported.tags[tag] in message
    assert message.count(published.exported.tags[tag]) == 1, "as the expected one only"
    without = [one for index, one in enumerate(mixed) if index != position]
    assert len(batcher.run(call, without, BATCH_SIZES)) == 4


def test_a_bad_value_of_one_client_has_the_whole_batch_refused(published):
    requests = [inputs_of(published, "score_cached", 1, seed) for seed in range(2)]
    requests[1]["candidate_query"] = np.full_like(requests[1]["candidate_query"], np.nan)
    with pytest.raises(tf.errors.InvalidArgumentError, match="candidate_query"):
        batcher.run(caller(published, "score_cached"), requests, BATCH_SIZES)


def test_what_does_not_fit_together_is_refused_before_the_graph(published):
    call = caller(published, "id_projections")
    with pytest.raises(batcher.RefusedError, match="more than the largest batch"):
        batcher.run(call, [{"item_ids": np.zeros(9, np.int64)}], BATCH_SIZES)
    with pytest.raises(batcher.RefusedError, match="scalar"):
        batcher.run(call, [{"item_ids": np.int64(1)}], BATCH_SIZES)
    with pytest.raises(batcher.RefusedError, match="shapes differ"):
        batcher.run(call, [{"a": np.zeros((1, 2))}, {"a": np.zeros((1, 3))}], BATCH_SIZES)
