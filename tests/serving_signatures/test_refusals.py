"""What a reloaded SavedModel refuses: caches of another model, vectors that are not finite."""

import numpy as np
import pytest
import tensorflow as tf

from serving_signatures.export import parity_process
from tests.serving_signatures import serving


def cached_inputs(published, shape=(2, 3, 4)):
    sample = serving.requests(shape, published.embeddings)
    inputs = serving.inputs(sample, published.tables_inside)
    return parity_process.cached_inputs(published.signatures, inputs)


def inputs_of(published, signature):
    if signature == "score_cached":
        return cached_inputs(published)
    sample = serving.requests((2, 3, 4), published.embeddings)
    return serving.inputs(sample, published.tables_inside)


@pytest.mark.parametrize("tag", ["id_tag", "target_aware_tag"])
@pytest.mark.parametrize("rows", [[0], [1], [0, 1]], ids=str)
def test_a_tag_of_another_model_is_refused_with_both_values(published, tag, rows):
    inputs = cached_inputs(published)
    right = published.exported.tags[tag].encode()
    assert (inputs[tag] == right).all()
    wrong = inputs[tag].copy()
    wrong[rows] = b"deadbeef00000000"
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        parity_process.call(published.signatures["score_cached"], {**inputs, tag: wrong})
    message = str(raised.value)
    assert f"{tag}: the cached projections are of another model" in message
    assert right.decode() in message
    assert "deadbeef00000000" in message


def test_the_two_tags_are_not_interchangeable(published):
    inputs = cached_inputs(published)
    swapped = {"id_tag": inputs["target_aware_tag"], "target_aware_tag": inputs["id_tag"]}
    with pytest.raises(tf.errors.InvalidArgumentError):
        parity_process.call(published.signatures["score_cached"], {**inputs, **swapped})


def test_verification_notices_a_signature_that_takes_any_tag(published):
    inputs = cached_inputs(published)
    scored = published.signatures["score_cached"]
    assert parity_process.refuses_other_tags(scored, inputs)

    def careless(**inputs):
        right = {name: tf.fill([2], tag) for name, tag in published.exported.tags.items()}
        return scored(**{**inputs, **right})

    assert not parity_process.refuses_other_tags(careless, inputs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["candidate_vector_text", "history_vector_image"])
def test_a_vector_that_is_not_finite_is_refused_by_name(with_vectors, name, bad):
    sample = serving.requests((2, 3, 4), with_vectors.embeddings)
    inputs = serving.inputs(sample, tables_inside=False)
    inputs[name] = inputs[name].copy()
    inputs[name][1, 0, 2] = bad
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"\b{name}: embeddings must be"):
        parity_process.call(with_vectors.signatures["score_request"], inputs)


def test_a_backfill_with_a_vector_that_is_not_finite_is_refused_by_name(with_vectors):
    vectors = {"vector_text": np.ones((3, 12), np.float32), "vector_image": np.ones((3, 9), "f")}
    parity_process.call(with_vectors.signatures["target_aware_projections"], vectors)
    vectors["vector_image"][2, 8] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\bvector_image: embeddings must"):
        parity_process.call(with_vectors.signatures["target_aware_projections"], vectors)


def test_a_damaged_example_is_refused_by_the_features_name(published):
    sample = serving.requests((1, 2, 3), published.embeddings)
    record = tf.train.Example.FromString(sample["examples"][0])
    codes = record.features.feature["similarity_text"].bytes_list.value
    codes[0] = codes[0][:-1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="similarity_text"):
        serving.score(
            published.signatures,
            "serving_default",
            {"examples": np.array([record.SerializeToString()], object)},
        )


@pytest.mark.parametrize("name", ["history_key", "candidate_query", "history_norm_text"])
def test_a_cached_value_that_is_not_finite_is_refused_by_name(published, name):
    inputs = cached_inputs(published)
    inputs[name] = inputs[name].copy()
    inputs[name].reshape(-1)[-1] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"\b{name}: values must be finite"):
        parity_process.call(published.signatures["score_cached"], inputs)


@pytest.mark.parametrize("signature", ["score_request", "score_cached"])
@pytest.mark.parametrize("bad", [-1, 2, 2**32, -(2**63)])
def test_a_behavior_type_that_there_is_not_is_refused_by_name(published, signature, bad):
    inputs = inputs_of(published, signature)
    inputs["history_type"][0, 1] = bad
    assert inputs["history_mask"][0, 1]
    message = rf"\bhistory_type: expected values from 0 to 1,.*\[{bad}\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        parity_process.call(published.signatures[signature], inputs)


@pytest.mark.parametrize("signature", ["score_request", "score_cached"])
@pytest.mark.parametrize("axis", [0, 1])
def test_an_input_of_another_shape_is_refused_by_name(published, signature, axis):
    inputs = inputs_of(published, signature)
    masks = {f"{side}_mask" for side in ("candidate", "history")}
    for name, value in inputs.items():
        if name in masks or axis >= value.ndim or (axis == 1 and name.startswith("context_")):
            continue
        if axis == 0 and name.endswith("_tag"):
            continue
        longer = np.concatenate([value, value], axis)
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"\b{name}:\W+its shape does"):
            parity_process.call(published.signatures[signature], {**inputs, name: longer})


def test_vectors_of_different_numbers_of_items_are_refused_by_name(with_vectors):
    vectors = {"vector_text": np.ones((3, 12), np.float32), "vector_image": np.ones((4, 9), "f")}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\bvector_\w+:\W+its shape does"):
        parity_process.call(with_vectors.signatures["target_aware_projections"], vectors)


def test_values_too_large_to_be_scored_are_refused_by_name(published):
    inputs = cached_inputs(published)
    inputs["candidate_query"] = np.full_like(inputs["candidate_query"], 3e38)
    inputs["history_key"] = np.full_like(inputs["history_key"], 3e38)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"\bcandidate_query,.* click is not a"
    ):
        parity_process.call(published.signatures["score_cached"], inputs)


def test_a_vector_too_large_to_be_quantized_is_refused_by_name(with_vectors):
    vectors = {"vector_text": np.ones((3, 12), np.float32), "vector_image": np.ones((3, 9), "f")}
    vectors["vector_text"][1, 2] = 3e38
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\bvector_text: embeddings must be"):
        parity_process.call(with_vectors.signatures["target_aware_projections"], vectors)
