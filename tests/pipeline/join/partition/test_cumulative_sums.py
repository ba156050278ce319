"""Sums by id up to any moment, against a loop."""

import numpy as np
import pytest

from pipeline.join.partition.cumulative_sums import CumulativeSums


@pytest.mark.parametrize("count", [0, 1, 300])
@pytest.mark.parametrize("width", [1, 3])
def test_before_equals_a_loop(count, width):
    rng = np.random.default_rng(count + width)
    ids = rng.choice([-(2**62), -1, 0, 5, 2**62], count)
    times = rng.integers(-9, 9, count) * 10**15
    values = rng.standard_normal((count, width))
    asked = rng.choice([-(2**62), -2, 0, 5, 7, 2**62, 2**63 - 1], 200)
    moments = rng.integers(-11, 11, 200) * 10**15
    received = CumulativeSums(ids, times, values).before(asked, moments)
    assert received.shape == (200, width)
    assert received.dtype == np.float64
    for found, one, moment in zip(received, asked, moments, strict=True):
        expected = np.zeros(width)
        for row in np.argsort(times, kind="stable"):
            if ids[row] == one and times[row] < moment:
                expected = expected + values[row]
        np.testing.assert_array_equal(found, expected)


def test_whole_numbers_are_exact_beside_very_large_ones():
    ids, times = np.array([1, 2, 2]), np.array([0, 0, 1])
    sums = CumulativeSums(ids, times, np.array([[1e300], [1.0], [2.0]]))
    np.testing.assert_array_equal(sums.before(np.array([2, 1]), np.array([9, 9])), [[3], [1e300]])
