"""Embedding sets of a join in other layouts, formats and names: the same shards."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from pipeline.join.job import build_examples
from tests.pipeline.join import joins, logs

ITEMS = [f"item-{number}" for number in range(12)]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return joins.random_log(tmp_path_factory.mktemp("log") / "log")[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory, log):
    """The set as one file, the join of it and its manifest."""
    folder = tmp_path_factory.mktemp("plain")
    vectors = logs.random_embeddings(1, ITEMS, 6, times=[1_000_000_000_000, 1_000_100_000_000])
    logs.write_embeddings(folder / "text", vectors)
    options = joins.options(log, folder / "out", embeddings={"text": str(folder / "text")})
    return folder, build_examples(options)


def write_apart(folder, table):
    """The set as JSON lines, and below nested folders an empty file and Parquet of other types."""
    renamed = table.rename_columns(["sku", "vec", "available_at"])
    first, second = folder / "a", folder / "b" / "day=1" / "deep"
    first.mkdir(parents=True)
    second.mkdir(parents=True)
    half = len(table) // 2
    pq.write_table(renamed.slice(0, 0), second / "part-1.parquet")
    rows = [
        json.dumps({name: value for name, value in row.items() if value is not None})
        for row in renamed.slice(0, half).to_pylist()
    ]
    (first / "part-0.jsonl").write_text("\n".join([*rows, ""]))
    rest = renamed.slice(half)
    wide = pa.array(rest["vec"].to_pylist(), pa.large_list(pa.float64()))
    ids = pc.dictionary_encode(rest["sku"])
    pq.write_table(
        pa.table({"vec": wide, "sku": ids, "available_at": rest["available_at"]}),
        second / "part-2.parquet",
        row_group_size=2,
    )
    return [str(first), str(folder / "b")]


@pytest.mark.parametrize("strategy", ["broadcast", "shuffle"])
def test_a_set_in_parts_of_other_formats_gives_the_same_shards(tmp_path, log, plain, strategy):
    folder, wanted = plain
    locations = write_apart(tmp_path, pq.read_table(folder / "text" / "part.parquet"))
    received = build_examples(
        joins.options(
            log,
            tmp_path / "out",
            embeddings={"text": locations},
            column=("embeddings.item_id=sku", "embedding=vec"),
            embedding_strategy=strategy,
        )
    )
    assert joins.shard_hashes(tmp_path / "out") == joins.shard_hashes(folder / "out")
    assert received["embedding_sets"] == wanted["embedding_sets"]
    assert received["columns"] == {"embeddings text": {"item_id": "sku", "embedding": "vec"}}
    assert "columns" not in wanted
    names = [one["name"] for one in received["inputs"]["embeddings"]["text"]]
    assert names == [
        "part-0.jsonl",
        "day=1/deep/part-1.parquet",
        "day=1/deep/part-2.parquet",
    ]


def test_what_is_refused_names_the_flag(tmp_path, log, plain):
    folder, _ = plain
    table = pq.read_table(folder / "text" / "part.parquet")
    text = str(folder / "text")

    def refused(match, **values):
        with pytest.raises(UserInputError, match=match):
            build_examples(joins.options(log, tmp_path / "out", **values))
        assert not (tmp_path / "out").exists()

    refused(
        r"--column 'embeddings.item_id=skuu': there is no column 'skuu' in the table 'embeddings'",
        embeddings={"text": text},
        column=("embeddings.item_id=skuu",),
    )
    ids = np.arange(len(table))
    numbered = table.set_column(0, "item_id", pa.array(ids))
    pq.write_table(numbered, tmp_path / "numbers.parquet")
    refused(
        r"is a string in .* and an integer in .*numbers.*--text_column item_id",
        embeddings={"text": str(tmp_path / "numbers.parquet")},
    )
