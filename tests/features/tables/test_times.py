"""Times of any column are microseconds of UTC, checked against `datetime`."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from features.tables import times

UTC = datetime.UTC
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


def micros(text):
    moment = datetime.datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


TEXTS = [
    "2026-05-01",
    "2026-05-01 10:22",
    "2026-05-01 10:22:32",
    "2026-05-01T10:22:32.5",
    "2026-05-01T10:22:32.123456Z",
    "2026-05-01T10:22:32+02:00",
    "2026-05-01 10:22:32-0330",
    "2026-12-31T23:59:59.999999-12:00",
    "1970-01-01",
    "2200-12-31 23:59:59",
]
BAD = [
    *("", "soon", "2026-13-01", "2026-05-32 10:00", "1969-12-31", "2201-01-01", "9999-12-31"),
    *("11/15/2019 10:22:32 AM", "1700000000", "2026-05-01 25:00", "2026-05-01T10:22:32+2"),
]


def test_iso_texts_are_what_datetime_says():
    found, known = times.microseconds(pa.array(TEXTS), "s")
    assert known.all()
    assert found.tolist() == [micros(text) for text in TEXTS]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_time_is_known_as_none_and_does_no_harm_to_others(text):
    column = pa.array(["2026-05-01", text, None, "2026-05-02"])
    found, known = times.microseconds(column, "s")
    assert known.tolist() == [True, False, False, True]
    assert found.tolist() == [micros("2026-05-01"), 0, 0, micros("2026-05-02")]


def test_digits_below_a_microsecond_are_cut():
    found, known = times.microseconds(pa.array(["2026-05-01 10:22:32.123456789"]), "s")
    assert known.all() and found[0] == micros("2026-05-01 10:22:32.123456")


@pytest.mark.parametrize(("unit", "size"), times.PER_SECOND.items())
def test_integers_have_the_unit_that_is_given(unit, size):
    seconds = np.array([0, 1, 1_700_000_000, times.LATEST - 1])
    found, known = times.microseconds(pa.array(seconds * size), unit)
    assert known.all()
    np.testing.assert_array_equal(found, seconds * 1_000_000)
    outside = pa.array([-1, times.LATEST * size, 2**63 - 1, -(2**63)])
    assert not times.microseconds(outside, unit)[1].any()


def test_a_timestamp_has_its_own_unit():
    column = pa.array([datetime.datetime(2026, 5, 1), None], pa.timestamp("us"))
    found, known = times.microseconds(column, "s")
    assert found.tolist() == [micros("2026-05-01"), 0]
    assert known.tolist() == [True, False]


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.timestamp("us")])
def test_no_rows(kind):
    found, known = times.microseconds(pa.array([], kind), "s")
    assert len(found) == len(known) == 0
