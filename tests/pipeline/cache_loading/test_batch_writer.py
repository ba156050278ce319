"""Rows go at their pace, and a note never speaks of rows that are not there."""

import numpy as np
import pytest

from pipeline.cache_loading.batch_writer import MOST_ROWS, Pace
from pipeline.cache_loading.load import load_projections
from tests.pipeline.cache_loading import caches
from tests.pipeline.cache_loading.caches import options


class Time:
    """A clock that moves when somebody sleeps, or works."""

    def __init__(self):
        self.now = 1000.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


@pytest.mark.parametrize("rate", [1, 7, 50, 999, 2560, 100_000])
def test_no_second_has_more_rows_than_allowed(rate):
    time, sent = Time(), []
    pace, rng = Pace(rate, time.clock, time.sleep), np.random.default_rng(rate)
    assert pace.batch_rows <= max(1, min(MOST_ROWS, rate // 10))
    for _ in range(300 + 3 * rate // pace.batch_rows):
        pace.wait(pace.batch_rows)
        sent.append((time.now, pace.batch_rows))
        time.now += float(rng.exponential(0.3 * pace.batch_rows / rate))
        if rng.random() < 0.02:
            time.now += 5  # Redis stood still; what was not sent is not caught up.
    moments, rows = map(np.array, zip(*sent, strict=True))
    most = max(rows[(moments >= one) & (moments < one + 1)].sum() for one in moments)
    assert most <= rate + pace.batch_rows


def test_without_a_limit_nothing_waits():
    time = Time()
    pace = Pace(None, time.clock, time.sleep)
    assert pace.batch_rows == MOST_ROWS
    for _ in range(1000):
        pace.wait(MOST_ROWS)
    assert time.now == 1000


def test_a_load_keeps_the_pace(tmp_path, url, server):
    time, counts = Time(), []

    def sleep(seconds):
        time.sleep(seconds)
        counts.append((time.now, server.dbsize()))

    folder = caches.publish(tmp_path)
    load_projections(options(folder, url, rows_per_second=100), clock=time.clock, sleep=sleep)
    assert time.now - 1000 == pytest.approx(600 / 100, abs=0.2)
    for now, count in counts:
        # Rows, state and notes of a cache; Redis may not yet have run what was sent.
        assert count <= 100 * (now - 1000) + 10 + 4
