"""inspect_data reads embedding sets as the join does."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.tables.options import TableOptions
from pipeline.statistics.embeddings import embedding_statistics, open_set


def statistics(locations, **options):
    table = open_set("text", locations, TableOptions(**options))
    with duckdb.connect() as connection:
        found = embedding_statistics(connection, table)
    return {name: found[name] for name in ("rows", "dimension", "usable", "rejected", "norm")}


@pytest.mark.parametrize("kind", [pa.list_view(pa.float64()), pa.large_list(pa.float32())], ids=str)
def test_a_set_in_several_locations_formats_and_layouts(tmp_path, kind):
    vectors = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    pq.write_table(
        pa.table({"item_id": [1, 2, 3, 4], "embedding": vectors.tolist()}), tmp_path / "one.parquet"
    )
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    lines = [f'{item},"{row.tolist()}"' for item, row in zip([1, 2], vectors, strict=False)]
    (tmp_path / "a" / "part.csv").write_text("\n".join(["sku,embedding", *lines, ""]))
    rest = pa.table({"item_id": [3, 4], "embedding": pa.array(vectors[2:].tolist(), kind)})
    pq.write_table(rest, tmp_path / "b" / "part.parquet")
    several = [str(tmp_path / name) for name in ("a", "b")]
    expected = statistics(str(tmp_path / "one.parquet"))
    assert statistics(several, columns=("item_id=sku",)) == expected
    assert expected["usable"] == 4
