"""Splits: by user, and explicit ranges in dates and units."""

import numpy as np

from pipeline.join.rules import splits


def test_user_split_counts_rows():
    first = np.array([0, 3, 6, 7, 8, 9])
    assigned = splits.assign_by_user((0.7, 0.1, 0.2), first, np.full(6, 10))
    assert assigned.tolist() == [0, 0, 0, 1, 2, 2]


def test_dates_and_units():
    ranges = splits.parse_ranges("train:..1970-01-02,test:1970-01-02..", "s")
    assert ranges[0].end == ranges[1].begin == 86_400_000_000
    assert splits.parse_ranges("train:5..", "ms")[0].begin == 5000
