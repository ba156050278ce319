"""A log cut into a folder per day, as a cycle reads it, and a gate that lets every model pass."""

import os

import pyarrow.compute as pc
import pyarrow.parquet as pq

OPEN_GATE = {
    "min_users": 20,
    "min_positives": 10,
    "loss": 1.0,
    "certain_loss": 1.0,
    "slice_certain_loss": 1.0,
    "calibration_loss": 9.0,
    "slice_calibration_loss": 9.0,
    "calibration_band": 9.0,
    "min_auc": 0.0,
    "max_ne": 9.0,
}
"""Limits for logs of so few users that nothing is certain of a model."""


def split_by_day(impressions, output):
    """Writes `<output>/<day>/part-0.parquet` of each day of impressions; returns the days."""
    table = pq.read_table(impressions)
    days = pc.floor_temporal(table["timestamp"].cast("timestamp[ms]"), unit="day")
    names = pc.strftime(days, format="%Y-%m-%d")
    found = sorted(set(names.to_pylist()))
    for day in found:
        os.makedirs(output / day, exist_ok=True)
        pq.write_table(table.filter(pc.equal(names, day)), output / day / "part-0.parquet")
    return found
