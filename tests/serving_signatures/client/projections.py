"""Projections that tests put into stores."""

import numpy as np

IDS = np.array([7, -3, 2**62, 0])


def projections(ids, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "key": rng.standard_normal((len(ids), 2, 3)).astype(np.float32),
        "quantized_text": rng.integers(-128, 128, (len(ids), 5)).astype(np.int8),
        "norm_text": rng.random(len(ids)).astype(np.float32),
    }


def assert_same(received, expected, rows=slice(None)):
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        assert received[name].dtype == value.dtype
        np.testing.assert_array_equal(received[name][rows], value[rows])
