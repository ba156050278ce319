"""A simulated market as a log of days, each in a folder."""

import os

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def write(market: str, log: str) -> list[str]:
    """Writes a market's impressions as `<log>/<day>/part-0.parquet`.

    Args:
      market: folder that `simulate` wrote.
      log: folder of the days.

    Returns:
      The days' names, such as `2024-01-01`, in order.
    """
    impressions: pa.Table = pq.read_table(os.path.join(market, "impressions"))
    day = pc.floor_temporal(impressions["timestamp"].cast(pa.timestamp("ms")), unit="day")
    name = pc.strftime(day, format="%Y-%m-%d")
    found = sorted(pc.unique(name).to_pylist())
    for one in found:
        os.makedirs(os.path.join(log, one), exist_ok=True)
        rows = impressions.filter(pc.equal(name, one))
        pq.write_table(rows, os.path.join(log, one, "part-0.parquet"))
    return found
