"""One log as five writers write it, in five formats and layouts, gives the same shards."""

import csv
import gzip

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from pipeline.join.job import build_examples
from tests.pipeline.join import joins

ROWS = 600
DAY = 86_400
BEGIN = 1_777_593_600
"""2026-05-01."""


def tables():
    """Returns the log and the items, with what makes trouble: zeros, quotes, nulls, line breaks."""
    random = np.random.default_rng(5)
    device = np.array(["ios", 'quo"te', "com,ma", "línea\nnueva", None], object)
    log = pd.DataFrame(
        {
            # Texts that look like numbers: 007 is another user than 7.
            "user_id": [f"{user:03d}" for user in random.integers(0, 20, ROWS)],
            "item_id": random.integers(10**15, 10**15 + 40, ROWS),
            "timestamp": BEGIN + np.sort(random.choice(3 * DAY, ROWS, replace=False)),
            "isClick": random.integers(0, 2, ROWS),
            "rating": random.integers(1, 50, ROWS) / 7,
            "Device.Type": device[random.integers(0, len(device), ROWS)],
        }
    )
    items = pd.DataFrame(
        {
            "sku": 10**15 + np.arange(40),
            "Brand": [f"brand {n % 7}" if n % 5 else None for n in range(40)],
            "price": np.arange(40) / 3,
        }
    )
    return log, items


def spark(table, folder):
    """Writes as Spark does: folders by day, an empty first part, a mark of success, checksums."""
    day = (table["timestamp"] - BEGIN) // DAY
    for number, part in table.groupby(day):
        inside = folder / f"date=2026-05-0{number + 1}"
        inside.mkdir(parents=True)
        whole = pa.Table.from_pandas(part, preserve_index=False)
        for index, one in enumerate((whole.slice(0, 0), whole.slice(0, 50), whole.slice(50))):
            name = f"part-{index:05d}-0b1f-c000.snappy.parquet"
            pq.write_table(one, inside / name)
            (inside / f".{name}.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").touch()


def with_duckdb(table, target, how):
    connection = duckdb.connect()
    connection.register("log", table)
    connection.execute(f"COPY log TO '{target}' ({how})")


def plain(table, path, delimiter=","):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(table.columns)
        writer.writerows(
            ["" if value is None or value != value else value for value in row]
            for row in table.itertuples(index=False)
        )


WRITERS = {
    "pandas_parquet": lambda log, to: log.to_parquet(to / "log.parquet", index=False),
    "pandas_csv": lambda log, to: log.to_csv(to / "log.csv", index=False),
    "pandas_json": lambda log, to: log.to_json(to / "log.jsonl", orient="records", lines=True),
    "pandas_times": lambda log, to: log.assign(
        timestamp=pd.to_datetime(log["timestamp"], unit="s")
    ).to_parquet(to / "log.parquet", index=False),
    "pandas_iso_csv": lambda log, to: log.assign(
        timestamp=pd.to_datetime(log["timestamp"], unit="s", utc=True)
    ).to_csv(to / "log.csv", index=False),
    "spark_by_day": spark,
    "polars_parquet": lambda log, to: pl.from_pandas(log).write_parquet(to / "log.parquet"),
    "polars_categorical": lambda log, to: (
        pl.from_pandas(log)
        .with_columns(pl.col("Device.Type", "user_id").cast(pl.Categorical))
        .write_parquet(to / "log.parquet")
    ),
    "polars_csv": lambda log, to: pl.from_pandas(log).write_csv(to / "log.csv"),
    "polars_json": lambda log, to: pl.from_pandas(log).write_ndjson(to / "log.ndjson"),
    "duckdb_parquet": lambda log, to: with_duckdb(log, to / "log.parquet", "FORMAT parquet"),
    "duckdb_csv": lambda log, to: with_duckdb(log, to / "log.csv", "FORMAT csv"),
    "duckdb_json": lambda log, to: with_duckdb(log, to / "log.json", "FORMAT json"),
    "plain_csv": lambda log, to: plain(log, to / "log.csv"),
    "plain_csv_gz": lambda log, to: plain(log, to / "log.csv.gz"),
    "plain_tsv": lambda log, to: plain(log, to / "log.tsv", "\t"),
    "arrow_orc": lambda log, to: orc.write_table(
        pa.Table.from_pandas(log, preserve_index=False), str(to / "log.orc")
    ),
    "many_files": lambda log, to: [
        log.iloc[first : first + 97].to_parquet(to / f"{first:04d}", index=False)
        for first in range(0, ROWS, 97)
    ],
}


def join(folder, output, items):
    return build_examples(
        joins.options(
            folder,
            output,
            items=str(items),
            column=["items.item_id=sku"],
            labels=["isClick", "liked"],
            behavior_rule="isClick == 1",
            derive_label=["liked = rating >= 4"],
            context=["Device.Type", "rating:numeric"],
            partitions=3,
        )
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The shards of the log as this project's own tests write it, and the items' folder."""
    folder = tmp_path_factory.mktemp("own")
    log, items = tables()
    (folder / "log").mkdir()
    (folder / "items").mkdir()
    pq.write_table(
        pa.Table.from_pandas(log, preserve_index=False).rename_columns(
            ["user_id", "item_id", "timestamp", "is_click", "rating", "device_type"]
        ),
        folder / "log" / "part-0.parquet",
        row_group_size=100,
    )
    items.to_parquet(folder / "items" / "part-0.parquet", index=False)
    manifest = join(folder / "log", folder / "out", folder / "items")
    assert manifest["counts"]["read"] == manifest["counts"]["written"] == ROWS
    return joins.shard_hashes(folder / "out"), folder / "items"


@pytest.mark.parametrize("writer", WRITERS)
def test_the_shards_are_the_same_whoever_wrote_the_log(tmp_path, expected, writer):
    (tmp_path / "log").mkdir()
    WRITERS[writer](tables()[0], tmp_path / "log")
    manifest = join(tmp_path / "log", tmp_path / "out", expected[1])
    assert manifest["counts"]["read"] == ROWS
    assert joins.shard_hashes(tmp_path / "out") == expected[0]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_items_of_any_format_are_the_same(tmp_path, expected, form):
    log, items = tables()
    (tmp_path / "log").mkdir()
    log.to_parquet(tmp_path / "log" / "log.parquet", index=False)
    path = tmp_path / f"items.{form}"
    write = {
        "csv": lambda: items.to_csv(path, index=False),
        "jsonl": lambda: items.to_json(path, orient="records", lines=True, double_precision=15),
        "parquet": lambda: pl.from_pandas(items).write_parquet(path),
    }
    write[form]()
    join(tmp_path / "log", tmp_path / "out", path)
    assert joins.shard_hashes(tmp_path / "out") == expected[0]
