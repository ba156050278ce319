"""Prints a hash of what all kernels compute: `python -m tests.kernels.threads THREADS`."""

import hashlib
import sys

import numpy as np
import tensorflow as tf

from features.embeddings import similarity
from kernels import library, pairs
from models.training.lazy_adam import LazyAdam
from tests.kernels import drawn


def results() -> list[np.ndarray]:
    """Returns the outputs of all kernels on inputs that are shared out to several threads."""
    rng = np.random.default_rng(0)
    requests, candidates, length, types = 9, 70, 130, 3
    vectors = [*drawn.vectors(rng, (requests, candidates), 64)]
    vectors += drawn.vectors(rng, (requests, length), 64)
    codes = pairs.similarity_codes(*map(tf.constant, vectors))
    mask, columns = drawn.mask(rng, requests, length), drawn.floats(rng, requests, length, 3)
    table = similarity.bucket_of_code((-0.2, 0.0, 0.3))
    sums = pairs.code_sums([codes, codes], columns, mask, rng.random(256), True)
    counts = pairs.tier_counts([codes, codes], tf.constant(mask), [table] * 2)
    scores = tf.constant(drawn.floats(rng, requests, candidates, 1, length))
    similar = pairs.Similarity(
        codes,
        table,
        tf.constant(drawn.floats(rng, requests, candidates, 1, 5)),
        tf.constant(drawn.floats(rng, types, 5, 1)),
    )
    offsets = tf.constant(drawn.floats(rng, requests, 1, length))
    kinds = tf.constant(rng.integers(0, types, (requests, length)))
    watched = [scores, offsets, similar.terms, similar.biases]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        found = pairs.bucket_softmax(scores, offsets, kinds, [similar, similar])
        value = tf.add_n([tf.reduce_sum(one**2) for one in (found.weights, *found.by_bucket)])
    variable, optimizer = tf.Variable(drawn.floats(rng, 500, 16)), LazyAdam(0.1)
    optimizer.build([variable])
    gradient = tf.constant(drawn.floats(rng, 4000, 16)), tf.constant(rng.integers(0, 500, 4000))
    optimizer.apply_gradients([(tf.IndexedSlices(*gradient), variable)])
    gradients = tape.gradient(value, watched)
    outputs = [codes, sums, *counts, found.weights, *found.by_bucket, *gradients, variable]
    return [one.numpy() for one in outputs]


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    with library.use("on"):
        arrays = results()
    assert all(np.isfinite(one).all() for one in arrays)
    print(hashlib.sha256(b"".join(one.tobytes() for one in arrays)).hexdigest())
