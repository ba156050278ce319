"""Kernel regression and recent types against plain sums."""

import numpy as np
import pytest
import tensorflow as tf

from models.inputs.behaviors import Behaviors
from models.layers import similarity_kernel

TYPES, WIDTH = 3, 0.1


def drawn(shape, seed=0, residuals=True):
    rng = np.random.default_rng(seed)
    r, c, l = shape  # noqa: E741
    lengths = rng.integers(0, l + 1, r)
    lengths[0] = l
    if r > 1:
        lengths[1] = 0
    mask = np.arange(l) < lengths[:, None]
    codes = {
        name: (rng.integers(0, 256, (r, c, l)) * mask[:, None]).astype(np.uint8)
        for name in ("text", "image")
    }
    kinds = rng.integers(0, TYPES, (r, l))
    residual = rng.integers(0, 256, (r, l)) if residuals else None
    return codes, mask, kinds, residual


def behaviors(mask, kinds, residual):
    gaps = tf.zeros(mask.shape, tf.int64)
    given = None if residual is None else tf.constant(residual)
    return Behaviors(tf.constant(mask), gaps, tf.constant(kinds), given)


def received(codes, mask, kinds, residual):
    given = {name: tf.constant(one) for name, one in codes.items()}
    of_pairs = behaviors(mask, kinds, residual)
    return similarity_kernel.similar_behaviors(given, of_pairs, TYPES, WIDTH).numpy()


def cosine(code):
    return 0.0 if code == 0 else (code - 1) / 127 - 1


def expected(codes, mask, kinds, residual):
    r, c, _ = codes["text"].shape
    width = TYPES + (residual is not None)
    out = np.zeros((r, c, 3 * width))
    for i, j in np.ndindex(r, c):
        for place, names in enumerate((["text"], ["image"], ["text", "image"])):
            weights, rows = [], []
            for b in np.flatnonzero(mask[i]):
                total = sum(cosine(int(codes[name][i, j, b])) - 1 for name in names)
                weights.append(np.exp(total / WIDTH))
                row = [float(kinds[i, b] == kind) for kind in range(TYPES)]
                rows.append(row + ([] if residual is None else [cosine(int(residual[i, b]))]))
            if rows:
                mean = np.average(np.array(rows), axis=0, weights=weights)
                out[i, j, place * width : (place + 1) * width] = mean
    return out


@pytest.mark.parametrize("residuals", [True, False])
@pytest.mark.parametrize("shape", [(3, 4, 6), (1, 1, 1), (2, 3, 0), (4, 2, 50)])
def test_similar_behaviors_equal_the_weighted_mean(shape, residuals):
    case = drawn(shape, sum(shape), residuals)
    np.testing.assert_allclose(received(*case), expected(*case), atol=1e-5)


def test_what_padding_holds_does_not_matter():
    codes, mask, kinds, residual = drawn((3, 4, 6))
    other = np.where(mask, residual, 255), np.where(mask, kinds, 1)
    noisy = {
        name: np.where(mask[:, None], one, 255).astype(np.uint8) for name, one in codes.items()
    }
    np.testing.assert_array_equal(
        received(noisy, mask, other[1], other[0]), received(codes, mask, kinds, residual)
    )


def test_a_candidate_without_embedding_gets_the_mean_of_all_behaviors():
    codes, mask, kinds, residual = drawn((1, 1, 9))
    unknown = {name: np.zeros_like(one) for name, one in codes.items()}
    shares = received(unknown, mask, kinds, residual)[0, 0]
    mean = [np.mean(kinds == kind) for kind in range(TYPES)]
    np.testing.assert_allclose(shares[:TYPES], mean, atol=1e-6)


def test_the_most_dissimilar_pair_still_has_a_weight():
    codes = {name: np.ones((1, 1, 1), np.uint8) for name in ("text", "image")}
    shares = received(codes, np.ones((1, 1), bool), np.array([[1]]), None)
    np.testing.assert_array_equal(shares, np.eye(TYPES)[None, None, [1, 1, 1]].reshape(1, 1, -1))


@pytest.mark.parametrize("shape", [(4, 1, 12), (1, 1, 1), (2, 1, 0)])
def test_recent_types_are_shares_of_the_newest(shape):
    _, mask, kinds, _ = drawn(shape, 5)
    shares = behaviors(mask, kinds, None).recent_types(TYPES, (1, 5)).numpy()
    for i in range(len(mask)):
        known = kinds[i][mask[i]]
        for place, count in enumerate((1, 5)):
            newest = known[-count:]
            mean = [np.mean(newest == kind) if newest.size else 0 for kind in range(TYPES)]
            np.testing.assert_allclose(shares[i, place * TYPES : (place + 1) * TYPES], mean, 1e-6)


def test_recent_types_do_not_depend_on_where_the_padding_is():
    mask, kinds = np.array([[True, False, True, True, False]]), np.array([[0, 1, 2, 1, 1]])
    shares = behaviors(mask, kinds, None).recent_types(TYPES, (2,)).numpy()
    np.testing.assert_array_equal(shares, [[0, 0.5, 0.5]])
