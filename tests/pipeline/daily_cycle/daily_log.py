"""A log cut into a folder per day, as a cycle reads it."""

import os

import pyarrow.compute as pc
import pyarrow.parquet as pq


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
