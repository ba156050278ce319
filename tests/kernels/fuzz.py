"""Calls every kernel with random inputs and compares them with NumPy.

    python -m tests.kernels.fuzz SECONDS [LIBRARY]

With a library it is loaded instead of the one that was built, as that with sanitizers is.
"""

import sys
import time

import numpy as np
import tensorflow as tf

from features.embeddings import embedding_set, similarity
from kernels import library, pairs
from models.layers.content_table import ContentTable
from models.training.lazy_adam import LazyAdam
from tests.kernels import drawn, reference, test_pairs


def codes(rng):
    """Similarity codes, bit for bit."""
    requests, candidates, length, _ = drawn.sizes(rng)
    width = int(rng.integers(1, 200))
    sides = [*drawn.vectors(rng, (requests, candidates), width)]
    sides += drawn.vectors(rng, (requests, length), width)
    found = pairs.similarity_codes(*map(tf.constant, sides))
    np.testing.assert_array_equal(found, reference.codes(*sides))


def hostile_codes(rng):
    """Any bytes and any norms: whatever comes out, nothing else is read or written."""
    a, b = rng.integers(-128, 128, (2, 1, int(rng.integers(1, 80)), 7)).astype(np.int8)
    norms = rng.choice([0, -1, np.nan, np.inf, 1e-38, 3e38], (2, *a.shape[:2])).astype(np.float32)
    pairs.similarity_codes(*map(tf.constant, (a, norms[0], b, norms[1])))


def sums(rng):
    """Sums of what codes look up, and counts by tier."""
    requests, candidates, length, _ = drawn.sizes(rng)
    given = drawn.codes(rng, (requests, candidates, length), 2)
    mask, columns = drawn.mask(rng, requests, length), drawn.floats(rng, requests, length, 3)
    table = rng.random(256).astype(np.float32)
    expected = reference.code_sums(given, columns, mask, table, True)
    found = pairs.code_sums(list(map(tf.constant, given)), columns, mask, table, True)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    tiers = [similarity.bucket_of_code(drawn.edges(rng)) for _ in given]
    counts = pairs.tier_counts(list(map(tf.constant, given)), tf.constant(mask), tiers)
    for one, wanted in zip(counts, reference.tier_counts(given, mask, tiers), strict=True):
        np.testing.assert_array_equal(one, wanted)


def softmax(rng):
    """Weights, masses, and that gradients are finite."""
    given = test_pairs.softmax_inputs(rng, int(rng.integers(0, 3)), bool(rng.integers(0, 2)))
    tensors = test_pairs.as_tensors(given)
    with tf.GradientTape() as tape:
        tape.watch(tensors[0])
        found = pairs.bucket_softmax(*tensors)
        value = test_pairs.loss(found, 0)
    np.testing.assert_allclose(found.weights, reference.bucket_softmax(*given)[0], atol=1e-6)
    assert np.isfinite(tape.gradient(value, tensors[0])).all()


def rows(rng):
    """The optimizer's step and the look-up of content, bit for bit."""
    size, width = int(rng.integers(1, 60)), int(rng.integers(1, 40))
    start, values = drawn.floats(rng, size, width), drawn.floats(rng, size, width)
    count = int(rng.integers(0, size + 1))
    places = rng.integers(0, size, count)
    found = []
    for mode in ("off", "on"):
        with library.use(mode):
            variable, optimizer = tf.Variable(start), LazyAdam(0.1)
            optimizer.build([variable])
            slices = tf.IndexedSlices(tf.constant(values[:count]), tf.constant(places))
            optimizer.apply_gradients([(slices, variable)])
            found.append(variable.numpy())
    np.testing.assert_array_equal(*found)
    ids = rng.choice(np.arange(-1000, 1000), size, replace=False)
    given = embedding_set.from_vectors(np.sort(ids), values)
    wanted = rng.integers(-1000, 1000, int(rng.integers(0, 90)))
    for one, expected in zip(
        ContentTable(given, "text").lookup(tf.constant(wanted)),
        reference.content(wanted, given.item_ids, given.quantized, given.norms),
        strict=True,
    ):
        np.testing.assert_array_equal(one, expected)


def newest(rng):
    """A window of codes."""
    requests, candidates, length, _ = drawn.sizes(rng)
    (given,) = drawn.codes(rng, (requests, candidates, length), 1)
    kept = int(rng.integers(0, length + 1))
    start = rng.integers(0, length - kept + 1, requests).astype(np.int32)
    found = pairs.newest_codes(tf.constant(given), tf.constant(start), tf.constant(kept))
    for one, first, expected in zip(found, start, given, strict=True):
        np.testing.assert_array_equal(one, expected[:, first : first + kept])


def run(seconds: float) -> int:
    """Calls all of them in turn for a while, and returns how often."""
    end, rounds = time.monotonic() + seconds, 0
    with library.use("on"):
        while time.monotonic() < end:
            for function in (codes, hostile_codes, sums, softmax, rows, newest):
                try:
                    function(np.random.default_rng(rounds))
                except Exception as error:
                    raise AssertionError(f"{function.__name__}, seed {rounds}") from error
            rounds += 1
    return rounds


if __name__ == "__main__":
    if len(sys.argv) > 2:
        module = tf.load_op_library(sys.argv[2])
        library._loaded = lambda: module
    print(f"{run(float(sys.argv[1]))} rounds")
