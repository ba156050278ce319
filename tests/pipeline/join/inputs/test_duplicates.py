"""Duplicates among events."""

import numpy as np

from pipeline.join.inputs.duplicates import first_of_duplicates


def test_duplicates_keep_the_first_row():
    user = np.array([1, 1, 1, 1])
    content = np.array([5, 5, 6, 5])
    kept = first_of_duplicates(
        user, np.array([9, 9, 9, 8]), content, np.array([1, 0, 0, 0]), np.array([0, 4, 2, 0])
    )
    assert kept.tolist() == [3, 2, 1]
