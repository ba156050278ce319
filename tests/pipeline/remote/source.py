"""A log, its items and their vectors, to be joined from a local folder or from S3."""

import pyarrow as pa
import pyarrow.parquet as pq

from tests.pipeline.join import joins, logs

ITEMS = [f"item-{number}" for number in range(12)]


def options(source, output, **values):
    """Returns the options of a join whose inputs lie below `source`, a folder or a URI."""
    fixed = {"embeddings": {"text": f"{source}/text"}, "items": f"{source}/items", "partitions": 3}
    return joins.options(f"{source}/log", output, **{**fixed, **values})


def write(folder):
    """Writes `log`, `text` and `items` below a folder."""
    logs.write_log(folder / "log", logs.random_rows(3, events=300, users=9))
    logs.write_embeddings(folder / "text", logs.random_embeddings(0, ITEMS, 5))
    (folder / "items").mkdir()
    items = pa.table({"item_id": ITEMS[:9], "year": list(range(9))})
    pq.write_table(items, folder / "items" / "part.parquet")
