"""The product of id and similarity against plain sums, one pair at a time."""

import numpy as np
import pytest
import tensorflow as tf

from models.inputs.behaviors import Behaviors
from models.layers.similarity_product import SimilarityProduct
from tests.models.layers.reference_attention import randomize

TYPES, WINDOWS, WIDTH = 3, (2, 5), 4


def cosine(code):
    return 0.0 if code == 0 else (code - 1) / 127 - 1


def expected(layer, candidates, codes, mask, types):
    kernel = layer._product.kernel.numpy()
    out = np.zeros(candidates.shape[:2])
    for i, j in np.ndindex(*out.shape):
        means = []
        for one in codes.values():
            for window in WINDOWS:
                for kind in range(TYPES):
                    places = np.flatnonzero(mask[i] & (types[i] == kind))[-window:]
                    cosines = [cosine(int(one[i, j, place])) for place in places]
                    means.append(np.mean(cosines) if cosines else 0.0)
        out[i, j] = candidates[i, j] @ (np.array(means) @ kernel)
    return out


@pytest.mark.parametrize("shape", [(4, 3, 12), (1, 1, 1), (2, 1, 0)])
def test_logit_equals_numpy(shape):
    r, c, length = shape
    rng = np.random.default_rng(length)
    mask = np.arange(length) < rng.integers(0, length + 1, r)[:, None]
    if length:
        mask[0] = True
    types = rng.integers(0, TYPES, (r, length))
    # What stands in the places of padding must not count.
    codes = {m: rng.integers(0, 256, shape).astype(np.uint8) for m in ("text", "image")}
    if length > 1:
        codes["text"][..., 0] = 0
    candidates = rng.standard_normal((r, c, WIDTH)).astype(np.float32)
    layer = SimilarityProduct(WINDOWS, TYPES)
    behaviors = Behaviors(tf.constant(mask), tf.zeros(mask.shape, tf.int64), tf.constant(types))
    given = {name: tf.constant(one) for name, one in codes.items()}
    layer(tf.constant(candidates), given, behaviors)
    randomize(layer, 1)
    received = layer(tf.constant(candidates), given, behaviors).numpy()
    wanted = expected(layer, candidates, codes, mask, types)
    np.testing.assert_allclose(received, wanted, atol=1e-5)
    assert not length or np.abs(wanted).max() > 0.01
    assert (received[~mask.any(axis=1)] == 0).all()


@pytest.mark.parametrize("windows", [(), (0, 5)])
def test_windows_that_hold_nothing_are_refused(windows):
    with pytest.raises(ValueError, match="windows must hold positive numbers"):
        SimilarityProduct(windows, TYPES)
