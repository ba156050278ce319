"""Rows for people to read, whatever they hold."""

import datetime
import json

import pyarrow as pa

from features.tables import plain


def test_odd_values_are_shown_and_not_raised():
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"text\xff"]).buffers())
    batch = pa.record_batch(
        {
            "text": broken,
            "bytes": pa.array([b"\x00a"]),
            "far": pa.array([2**62], pa.timestamp("us")),
            "time": pa.array([datetime.datetime(2026, 5, 1, 10)], pa.timestamp("us")),
            "none": pa.array([None], pa.string()),
            "list": pa.array([[1, 2]]),
        }
    )
    (row,) = plain.rows(batch)
    assert row == {
        "text": "text\\xff",
        "bytes": "\x00a",
        "far": 2**62,
        "time": "2026-05-01 10:00:00",
        "none": None,
        "list": [1, 2],
    }
    json.dumps(row)


def test_no_rows():
    assert plain.rows(pa.record_batch({"a": pa.array([], pa.int64())})) == []
