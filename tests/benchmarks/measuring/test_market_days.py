"""The days of a market hold its impressions, each on its own day."""

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measuring import market_days

DAY = 86_400_000


def test_every_impression_is_in_the_folder_of_its_day(tmp_path):
    times = [0, DAY - 1, DAY, 3 * DAY + 5, 3 * DAY]
    (tmp_path / "market").mkdir()
    table = pa.table({"timestamp": times, "item_id": list(range(5))})
    pq.write_table(table, tmp_path / "market" / "impressions")
    found = market_days.write(str(tmp_path / "market"), str(tmp_path / "log"))
    assert found == ["1970-01-01", "1970-01-02", "1970-01-04"]
    items = [
        pq.read_table(tmp_path / "log" / day / "part-0.parquet")["item_id"].to_pylist()
        for day in found
    ]
    assert items == [[0, 1], [2], [3, 4]]
