"""A call that is too large is refused before anything large is made; agreed sizes pass."""

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from features.records.requests import PaddedSizes
from serving_signatures import call_size
from serving_signatures.export import parity_process, saved_model
from serving_signatures.export.sample_requests import encode_batch, sample_requests
from serving_signatures.export.warmup import BATCH_SIZES
from serving_signatures.versions import exported_version
from tests import synthetic
from tests.serving_signatures import serving

SIZES = "candidate_mask, history_mask: expected at most 20000000 pairs per call, received"


def refused(signature, inputs, message):
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        parity_process.call(signature, inputs)
    assert message in str(raised.value)
    assert "--max_pairs" in str(raised.value)


def requests(shape):
    """Inputs by ids; vectors of so many items would only take time."""
    batch = sample_requests(synthetic.SCHEMA, synthetic.item_ids(), {}, shape, seed=1)
    return {name: value for name, value in batch.items() if "_vector_" not in name}


def records(*shapes):
    """Records of one request each."""
    batches = [
        sample_requests(synthetic.SCHEMA, synthetic.item_ids(), {}, (1, *shape), seed=1)
        for shape in shapes
    ]
    return [encode_batch(synthetic.SCHEMA, batch)[0] for batch in batches]


# The first would make a tensor of 10 GB for each modality; a candidate costs without behaviors: the
# head's vectors, and four histograms.
@pytest.mark.parametrize(
    ("shape", "count"),
    [((1, 100_000, 100_000), 10_025_600_064), ((1, 104_167, 0), 20_000_128)],
    ids=str,
)
def test_a_request_that_asks_for_too_much_is_refused(with_tables, shape, count):
    received = "{} requests of {} candidates and {} behaviors, which count as {}.".format(
        *shape, count
    )
    refused(with_tables.signatures["score_request"], requests(shape), f"{SIZES} {received}")


def test_a_call_of_no_requests_is_not_free(with_tables):
    batch = {name: value[:0] for name, value in requests((1, 100_000, 1000)).items()}
    refused(with_tables.signatures["score_request"], batch, f"{SIZES} 0 requests of 100000")


def test_score_cached_has_the_bound(published):
    inputs = parity_process.cached_inputs(
        published.signatures,
        serving.inputs(serving.requests((1, 1, 1), {}), published.tables_inside),
    )
    many = {
        name: value
        if name.startswith("context_") or name.endswith("_tag")
        # Of the shape alone: a view that repeats one value.
        else np.broadcast_to(value, (1, 5000, *value.shape[2:]))
        for name, value in inputs.items()
    }
    refused(published.signatures["score_cached"], many, f"{SIZES} 1 requests of 5000")


@pytest.mark.parametrize("name", ["id_projections", "target_aware_projections"])
def test_projections_of_too_many_items_are_refused(published, name):
    signature = published.signatures[name]
    inputs = {
        name: np.zeros((312_501, *spec.shape[1:]), spec.dtype.as_numpy_dtype)
        for name, spec in signature.structured_input_signature[1].items()
    }
    refused(signature, inputs, f"{min(inputs)}: expected at most 20000000 pairs per call")


def test_records_are_counted_before_they_are_parsed(with_tables):
    signature = with_tables.signatures["serving_default"]
    (record,) = records((20, 8))
    refused(signature, {"examples": np.full(200_000, record, object)}, "examples: expected at most")
    long = records((20_000, 1), (1, 1000))
    # Padded to the longest of each, they would be 20,000 x 1,000 twice.
    message = "received 2 requests of 20000 candidates and 1000 behaviors"
    refused(signature, {"examples": np.array(long, object)}, message)


def test_a_request_of_nothing_is_refused_by_name(published):
    sample = serving.inputs(serving.requests((2, 1, 1), {}), published.tables_inside)
    inputs = {
        name: value if name.startswith("context_") else value[:, :0]
        for name, value in sample.items()
    }
    message = "candidate_mask, history_mask: expected candidates or behaviors"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        parity_process.call(published.signatures["score_request"], inputs)


def test_the_sizes_that_clients_agree_on_are_within_the_default():
    sizes = PaddedSizes()
    largest = (max(BATCH_SIZES), max(sizes.candidates), max(sizes.behaviors))
    assert 1.5 * call_size.pairs(*largest, 4) < call_size.DEFAULT_MAX_PAIRS


def test_the_bound_is_the_exports(model, embeddings, tmp_path, monkeypatch):
    monkeypatch.setattr(saved_model, "ServingSignatures", serving.traced)
    signatures = serving.traced(model, embeddings, 5000, scoring=["score_request"])
    function = signatures.functions["score_request"]
    parity_process.call(function, requests((1, 20, 8)))
    refused(function, requests((1, 60, 20)), "at most 5000 pairs per call")
    with pytest.raises(UserInputError, match=r"--max_pairs 5000 is too small: .* 1200 candidates"):
        saved_model.export_saved_model(model, str(tmp_path / "ctr"), max_pairs=5000)
    assert not (tmp_path / "ctr").exists()


def test_the_manifest_has_the_bound(with_tables):
    values = exported_version.read_values(with_tables.exported.folder)
    assert values["max_pairs"] == call_size.DEFAULT_MAX_PAIRS
