"""Kernels over pairs against NumPy and, for gradients, stock ops in float64."""

import numpy as np
import pytest
import tensorflow as tf

from features.embeddings import similarity
from kernels import pairs
from tests.kernels import drawn, reference


@pytest.mark.parametrize("seed", range(12))
def test_codes_are_those_of_numpy_bit_for_bit(kernels, seed):
    rng = np.random.default_rng(seed)
    requests, candidates, length, _ = drawn.sizes(rng)
    width = int(rng.choice([1, 2, 3, 4, 5, 63, 64, 128, 130]))
    sides = (
        *drawn.vectors(rng, (requests, candidates), width),
        *drawn.vectors(rng, (requests, length), width),
    )
    received = pairs.similarity_codes(*map(tf.constant, sides))
    np.testing.assert_array_equal(received, reference.codes(*sides))


def test_the_longest_products_are_exact(kernels):
    quantized = np.full((1, 2, 1032), 127, np.int8)  # 1,032 * 127^2 is below 2^24.
    quantized[:, 1] = -127
    norms = np.full((1, 2), np.sqrt(1032 * 127.0**2), np.float32)
    received = pairs.similarity_codes(*map(tf.constant, (quantized, norms, quantized, norms)))
    np.testing.assert_array_equal(received, [[[255, 1], [1, 255]]])


def drawn_codes(seed):
    rng = np.random.default_rng(seed)
    requests, candidates, length, _ = drawn.sizes(rng)
    codes = drawn.codes(rng, (requests, candidates, length), int(rng.integers(1, 4)))
    return rng, codes, drawn.mask(rng, requests, length)


@pytest.mark.parametrize("seed", range(12))
def test_sums_are_those_of_numpy(kernels, seed):
    rng, codes, mask = drawn_codes(seed)
    columns = drawn.floats(rng, *mask.shape, int(rng.integers(0, 6)))
    table, with_product = rng.random(256).astype(np.float32), bool(seed % 2)
    expected = reference.code_sums(codes, columns, mask, table, with_product)
    received = pairs.code_sums(
        [tf.constant(one) for one in codes], tf.constant(columns), mask, table, with_product
    )
    np.testing.assert_allclose(received, expected, atol=1e-4)


@pytest.mark.parametrize("seed", range(12))
def test_counts_by_tier_are_those_of_numpy(kernels, seed):
    rng, codes, mask = drawn_codes(seed)
    tiers = [similarity.bucket_of_code(drawn.edges(rng)) for _ in codes]
    received = pairs.tier_counts([tf.constant(one) for one in codes], tf.constant(mask), tiers)
    for one, expected in zip(received, reference.tier_counts(codes, mask, tiers), strict=True):
        np.testing.assert_array_equal(one, expected)


def test_a_tier_without_any_code_counts_nothing(kernels):
    tiers = np.zeros(256, np.int32)
    tiers[10:100], tiers[100:] = 1, 3
    codes = np.arange(256, dtype=np.uint8).reshape(1, 1, 256)
    (counts,) = pairs.tier_counts([tf.constant(codes)], tf.ones([1, 256], tf.bool), [tiers])
    np.testing.assert_array_equal(counts, [[[90, 0, 156]]])


def softmax_inputs(rng, modalities, with_codes):
    requests, candidates, length, heads = drawn.sizes(rng)
    types, terms = int(rng.integers(1, 4)), int(rng.integers(1, 30))
    offsets = drawn.floats(rng, requests, heads, length)
    mask = drawn.mask(rng, requests, length)
    # Of an empty history float32 keeps nothing of the scores beside -1e9, and float64 does.
    offsets += np.where(mask | ~mask.any(1, keepdims=True), 0, np.float32(-1e9))[:, None]
    similar = []
    for codes in drawn.codes(rng, (requests, candidates, length), modalities):
        table = similarity.bucket_of_code(drawn.edges(rng))
        buckets = int(table.max()) + 1
        similar.append(
            (
                codes,
                table,
                drawn.floats(rng, requests, candidates, heads, buckets),
                drawn.floats(rng, types, buckets, heads),
            )
        )
    return (
        drawn.floats(rng, requests, candidates, heads, length),
        offsets,
        rng.integers(0, types, (requests, length)),
        similar,
        rng.integers(0, terms, (requests, length)).astype(np.int32) if with_codes else None,
        drawn.floats(rng, requests, candidates, heads, terms) if with_codes else None,
    )


@pytest.mark.parametrize("modalities", [0, 1, 2])
@pytest.mark.parametrize("with_codes", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_weights_and_masses_are_those_of_numpy(kernels, seed, modalities, with_codes):
    given = softmax_inputs(np.random.default_rng(seed), modalities, with_codes)
    weights, by_code, by_bucket = reference.bucket_softmax(*given)
    received = pairs.bucket_softmax(*as_tensors(given))
    np.testing.assert_allclose(received.weights, weights, atol=1e-6)
    for one, expected in zip(received.by_bucket, by_bucket, strict=True):
        np.testing.assert_allclose(one, expected, atol=2e-6)
    if with_codes:
        np.testing.assert_allclose(received.by_code, by_code, atol=2e-6)


def as_tensors(given):
    scores, offsets, types, similar, codes, terms = given
    return (
        tf.constant(scores),
        tf.constant(offsets),
        tf.constant(types),
        [pairs.Similarity(tf.constant(c), t, tf.constant(q), tf.constant(b))
         for c, t, q, b in similar],
        None if codes is None else tf.constant(codes),
        None if terms is None else tf.constant(terms),
    )  # fmt: skip


def stock(scores, offsets, types, similar, codes, terms):
    """The same by stock ops, in the dtype of the inputs."""
    total = scores + offsets[:, None]
    one_hot = []
    for one in similar:
        bucket = tf.gather(one.bucket_of_code, tf.cast(one.codes, tf.int32))
        at = tf.one_hot(bucket, one.terms.shape[-1], dtype=scores.dtype)  # [R, C, L, B]
        total += tf.einsum("rchb,rclb->rchl", one.terms, at)
        total += tf.einsum("rlbh,rclb->rchl", tf.gather(one.biases, types), at)
        one_hot.append(at)
    if codes is not None:
        at = tf.one_hot(codes, terms.shape[-1], dtype=scores.dtype)  # [R, L, K]
        total += tf.einsum("rchk,rlk->rchl", terms, at)
    weights = tf.nn.softmax(total)
    by_code = None if codes is None else tf.einsum("rchl,rlk->rchk", weights, at)
    by_bucket = [tf.einsum("rchl,rclb->rchb", weights, one) for one in one_hot]
    return pairs.Weights(weights, by_code, by_bucket)


def loss(found, factors):
    """A sum of all outputs, each number with a factor of its own."""
    outputs = [found.weights, *found.by_bucket, *([] if found.by_code is None else [found.by_code])]
    drawn_factors = np.random.default_rng(factors)
    return tf.add_n(
        [
            tf.reduce_sum(one * tf.constant(drawn_factors.normal(size=one.shape), one.dtype))
            for one in outputs
        ]
    )


@pytest.mark.parametrize("modalities", [0, 1, 2])
@pytest.mark.parametrize("with_codes", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_gradients_are_those_of_stock_ops_in_float64(kernels, seed, modalities, with_codes):
    given = as_tensors(softmax_inputs(np.random.default_rng(100 + seed), modalities, with_codes))
    gradients = []
    for function, dtype in ((pairs.bucket_softmax, tf.float32), (stock, tf.float64)):
        scores, offsets, types, similar, codes, terms = given
        scores, offsets = tf.cast(scores, dtype), tf.cast(offsets, dtype)
        similar = [
            one._replace(terms=tf.cast(one.terms, dtype), biases=tf.cast(one.biases, dtype))
            for one in similar
        ]
        terms = None if terms is None else tf.cast(terms, dtype)
        watched = [scores, offsets, *[one.terms for one in similar]]
        watched += [one.biases for one in similar] + ([] if terms is None else [terms])
        with tf.GradientTape() as tape:
            tape.watch(watched)
            value = loss(function(scores, offsets, types, similar, codes, terms), seed)
        gradients.append(tape.gradient(value, watched))
    for received, expected in zip(*gradients, strict=True):
        # That of a gather is sparse.
        np.testing.assert_allclose(received, tf.convert_to_tensor(expected), atol=2e-5)


def test_gradients_are_of_one_thread_or_several(kernels):
    # Sums over a request do not depend on how work is shared out: twice the same bits.
    given = as_tensors(softmax_inputs(np.random.default_rng(3), 2, True))
    found = []
    for _ in range(5):
        with tf.GradientTape() as tape:
            tape.watch(given[3][0].biases)
            value = loss(pairs.bucket_softmax(*given), 1)
        found.append(tape.gradient(value, given[3][0].biases).numpy())
    assert all((one == found[0]).all() for one in found)


def test_an_empty_history_has_equal_weights_as_with_stock_ops(kernels):
    scores, offsets = tf.random.normal([1, 2, 1, 5]), tf.fill([1, 1, 5], -1e9)
    received = pairs.bucket_softmax(scores, offsets, tf.zeros([1, 5], tf.int64), []).weights
    np.testing.assert_allclose(received, tf.nn.softmax(scores + offsets[:, None]), atol=1e-6)
    np.testing.assert_allclose(received, 0.2, atol=1e-6)


def test_a_score_that_is_no_number_shows(kernels):
    scores = np.zeros((1, 2, 1, 20), np.float32)
    scores[0, 1, 0, 3] = np.nan
    received = pairs.bucket_softmax(
        tf.constant(scores), tf.zeros([1, 1, 20]), tf.zeros([1, 20], tf.int64), []
    ).weights.numpy()
    assert np.isfinite(received[0, 0]).all()
    assert np.isnan(received[0, 1]).all()


@pytest.mark.parametrize("kept", [0, 1, 5, 9])
def test_newest_codes_are_a_slice_of_each_request(kernels, kept):
    rng = np.random.default_rng(kept)
    codes = rng.integers(0, 256, (3, 4, 9)).astype(np.uint8)
    start = rng.integers(0, 10 - kept, 3).astype(np.int32)
    received = pairs.newest_codes(tf.constant(codes), tf.constant(start), tf.constant(kept))
    expected = [one[:, first : first + kept] for one, first in zip(codes, start, strict=True)]
    np.testing.assert_array_equal(received, expected)


def refused(function, *arguments, **named):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        function(*arguments, **named)
    return str(caught.value)


def test_what_would_index_other_memory_is_refused(kernels):
    scores, offsets = tf.zeros([1, 2, 1, 3]), tf.zeros([1, 1, 3])
    similar = [pairs.Similarity(tf.zeros([1, 2, 3], tf.uint8), np.zeros(256, np.int32),
                                tf.zeros([1, 2, 1, 4]), tf.zeros([2, 4, 1]))]  # fmt: skip
    for type_ in (-1, 2):
        types = tf.constant([[0, type_, 1]])
        message = refused(pairs.bucket_softmax, scores, offsets, types, similar)
        assert f"has the type {type_}, expected 0 to 1" in message
    types, codes = tf.zeros([1, 3], tf.int64), tf.constant([[0, 5, 1]])
    terms = tf.zeros([1, 2, 1, 5])
    message = refused(pairs.bucket_softmax, scores, offsets, types, similar, codes, terms)
    assert "has the code 5, expected 0 to 4" in message
    high = [similar[0]._replace(bucket_of_code=np.full(256, 4, np.int32))]
    message = refused(pairs.bucket_softmax, scores, offsets, types, high)
    assert "bucket_of_code holds 4, expected 0 to 3" in message
    codes = tf.zeros([1, 2, 3], tf.uint8)
    message = refused(pairs.newest_codes, codes, tf.constant([2]), tf.constant(2))
    assert "start[0] is 2, and 2 of 3 codes are wanted" in message
    falling = np.repeat([2, 1], 128)
    falling[0] = 0
    message = refused(pairs.tier_counts, [codes], tf.ones([1, 3], tf.bool), [falling])
    assert "then ascending up to 2" in message


def test_shapes_that_do_not_fit_are_refused(kernels):
    a, norms = tf.zeros([1, 2, 4], tf.int8), tf.zeros([1, 2])
    message = refused(pairs.similarity_codes, a, norms, tf.zeros([1, 2, 5], tf.int8), norms)
    assert "Expected candidates [R, C, M] and behaviors [R, L, M]" in message
    message = refused(pairs.similarity_codes, a, norms, a, tf.zeros([1, 3]))
    assert "Expected norms [R, C] and [R, L]" in message
