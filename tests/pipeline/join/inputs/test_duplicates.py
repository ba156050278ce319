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


def test_it_is_the_definition_for_any_rows():
    """A row is kept if none before it has its user, time and content."""
    random = np.random.default_rng(0)
    for _ in range(300):
        count = int(random.integers(0, 40))
        user, time, content = (random.integers(0, random.integers(1, 6), count) for _ in range(3))
        file, row = np.divmod(random.permutation(count), 5)
        seen, expected = set(), []
        for place in np.lexsort((row, file, time, user)).tolist():
            key = (user[place], time[place], content[place])
            if key not in seen:
                expected.append(place)
            seen.add(key)
        assert first_of_duplicates(user, time, content, file, row).tolist() == expected
