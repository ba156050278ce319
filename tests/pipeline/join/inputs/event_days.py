"""Events of several days, for tests of how they are counted by item and day."""

import numpy as np

from pipeline.join.inputs.item_counts import DAY


def events(seed, number=400, days=5):
    """Returns random items and times, of which some days have none, from before 1970 on."""
    random = np.random.default_rng(seed)
    day = random.choice([-2, 0, 1, 3, days], number)
    return random.integers(0, 9, number), day * DAY + random.integers(0, DAY, number)


def columns(counts):
    """Returns items, counts and first events of `ItemCounts` as lists."""
    return [getattr(counts, name).tolist() for name in ("items", "counts", "first")]
