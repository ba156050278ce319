"""Rows that a job leaves out are in the last lines of its output, not in its manifest alone."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.runtime import left_out
from tests import job_processes
from tests.pipeline.adapters import test_movielens
from tests.pipeline.join import logs

LINES = 12


def run(*command):
    """Runs a command that ends well; returns the last lines of what it printed."""
    (outcome,) = job_processes.run([command])
    assert outcome.code == 0, outcome.stderr
    return (outcome.stderr + outcome.stdout).splitlines()[-LINES:]


def vectors(path, ids):
    rows = np.random.default_rng(0).normal(size=(len(ids), 4)).tolist()
    rows[2] = [float("nan")] * 4
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"item_id": ids, "embedding": pa.array(rows, pa.list_(pa.float32()))})
    pq.write_table(table, path)
    return str(path)


def join_arguments(tmp_path):
    rows = logs.random_rows(3, events=400)
    for number, row in enumerate(rows):
        row["conversion"] = 0
        row["early"] = int(number % 2 and row["timestamp"] < 1_000_080)
    rows[5]["click"] = 7
    rows[6]["user_id"] = ""
    events = logs.write_log(tmp_path / "log", rows)
    items = pa.table({"item_id": ["item-1", "item-2", "item-1"], "price": [1.0, float("nan"), 2.0]})
    pq.write_table(items, tmp_path / "items.parquet")
    ids = [f"item-{n % 11}" for n in range(12)]
    text = vectors(tmp_path / "text" / "part.parquet", ids)
    return [
        f"--events={events}",
        f"--items={tmp_path}/items.parquet",
        f"--embeddings=text={text}",
        f"--output={tmp_path}/out",
        "--labels=click,conversion,early",
        "--max_bad_fraction=0.5",
        "--partitions=1",
    ]


@pytest.mark.slow(seconds=15)
def test_join_and_vocabulary(tmp_path):
    arguments = join_arguments(tmp_path)
    listed = f"They are in {tmp_path}/out/quarantine."
    # A rerun has nothing to do, and says the same.
    for _ in range(2):
        lines = run("pipeline.build_examples", *arguments)
        bad = "click is not 0 or 1: 1, user_id is empty: 1"
        assert f"Left out of --events: 2 of 400 rows ({bad}). {listed}" in lines
        (dropped,) = (line for line in lines if "(duplicate: " in line)
        assert dropped.startswith("Left out of --events: ")
        assert "Left out of --items: 1 of 3 rows (the id is null or came before: 1)." in lines
        assert "Left out of --items: 1 values (NaN or infinite, so missing: 1)." in lines
        bad = "embedding holds NaN or infinity: 1, item_id appeared before: 1"
        assert f"Left out of --embeddings text: 2 of 12 rows ({bad}). {listed}" in lines
        conversion, *early = (line for line in lines if line.startswith("Warning: label"))
        assert conversion.startswith("Warning: label 'conversion' is 0 for all ")
        assert "of all splits: nothing can be learned from one value." in conversion
        assert len(early) == 2 and "candidates of test:" in early[0]
        (line,) = (line for line in lines if "rows with both values of 'click'" in line)
        assert line.startswith("Warning: ")
    lines = run(
        "pipeline.build_vocabulary",
        f"--examples={tmp_path}/out",
        f"--output={tmp_path}/vocabulary",
        "--minimum_count=2",
        "--maximum_size=4",
    )
    assert lines[-1].startswith("Left out of the vocabulary: ")
    assert lines[-1].endswith("first 4, --maximum_size: 8).")


def test_ingestion(tmp_path):
    delivery = vectors(tmp_path / "delivery.parquet", [*range(11), 4])
    arguments = [
        f"--vectors={delivery}",
        f"--output={tmp_path}/set",
        "--encoder=e",
        "--encoder_version=1",
        "--max_bad_fraction=0.5",
    ]
    expected = "Left out of --vectors: 2 of 12 rows ("
    (line,) = run("pipeline.ingest_embeddings", *arguments)[-1:]
    assert line.startswith(expected) and "embedding holds NaN or infinity: 1" in line
    assert line.endswith(f"They are in {tmp_path}/set/versions/000001/quarantine.")
    # Nothing changes, yet the rows are left out again.
    assert run("pipeline.ingest_embeddings", *arguments)[-1].startswith(expected)


def test_converter(tmp_path):
    ratings = "".join(f"{n % 4},{1 + n % 3},{1 + n % 5},{100 + n}\n" for n in range(40))
    source = test_movielens.write(tmp_path / "in", ratings + "broken\n")
    *_, line, command = run(
        "pipeline.convert",
        "--dataset=movielens",
        f"--input={source}",
        f"--output={tmp_path}/out",
        "--max_bad_fraction=0.5",
    )
    assert line == (
        f"Left out of events: 1 of 41 rows (quarantined: 1). They are in {tmp_path}/out/quarantine."
    )
    assert command.startswith("python -m pipeline.build_examples ")


def test_many_reasons_are_one_line():
    reasons = {f"reason {n}": n for n in range(12)}
    line = left_out.text("--events", reasons, 100)
    assert line.startswith("Left out of --events: 66 of 100 rows (reason 11: 11, reason 10: 10,")
    assert line.endswith("reason 4: 4, and 3 more reasons).")
    assert left_out.text("--events", {"duplicate": 0}) == ""
