"""Times in another unit stop the join before it reads anything, naming the unit that fits."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import time_units
from features.errors import UserInputError
from pipeline.join.job import build_examples
from tests.pipeline.join import logs
from tests.pipeline.join.joins import options, shard_hashes

START = 1_700_000_000
SIZES = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def write_log(folder, unit, events=40):
    rows = logs.random_rows(1, events=events)
    for row in rows:
        row["timestamp"] = (START + row["timestamp"]) * SIZES[unit]
    return logs.write_log(folder, rows)


def write_set(folder, times):
    """Vectors of the log's items; `times` are Arrow's, one of each item."""
    folder.mkdir()
    ids = [f"item-{number}" for number in range(12)]
    vectors = np.random.default_rng(0).normal(size=(12, 4)).tolist()
    table = pa.table({"item_id": ids, "embedding": pa.array(vectors, pa.list_(pa.float32()))})
    pq.write_table(table.append_column("available_at", times), folder / "part.parquet")
    return str(folder)


@pytest.mark.parametrize("unit", SIZES)
@pytest.mark.parametrize("given", SIZES)
def test_the_unit_of_the_log(tmp_path, unit, given):
    events = write_log(tmp_path / "log", unit)
    wanted = options(events, tmp_path / "out", timestamp_unit=given)
    if unit == given:
        assert build_examples(wanted)["counts"]["written"]
        return
    with pytest.raises(UserInputError) as error:
        build_examples(wanted)
    assert "part-0.parquet': column 'timestamp'" in str(error.value)
    fitting = f"but the year 2023 in {unit}. Give --timestamp_unit {unit}."
    assert f" in {given}, {fitting}" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_the_unit_of_given_histories(tmp_path):
    events = write_log(tmp_path / "log", "s")
    times = pa.array([[START * 1000]], pa.list_(pa.int64()))
    table = pa.table({"user_id": ["user-1"], "item_id": [["item-1"]], "timestamp": times})
    pq.write_table(table, tmp_path / "histories.parquet")
    with pytest.raises(UserInputError, match=r"--histories: .*2023 in ms\. Give --timestamp"):
        build_examples(
            options(events, tmp_path / "out", histories=str(tmp_path / "histories.parquet"))
        )


@pytest.mark.parametrize("unit", ["s", "ms", "ns"])
def test_the_unit_of_available_at(tmp_path, unit):
    events = write_log(tmp_path / "log", "s")
    times = pa.array([None] * 5 + [START * SIZES[unit]] * 7, pa.int64())
    embeddings = {"text": write_set(tmp_path / "text", times)}
    with pytest.raises(UserInputError) as error:
        build_examples(options(events, tmp_path / "out", embeddings=embeddings))
    assert "--embeddings text: " in str(error.value) and "part.parquet': " in str(error.value)
    assert f"the year 2023 in {unit}. Write available_at in microseconds" in str(error.value)
    assert f"pipeline.ingest_embeddings --available_at_unit {unit}." in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("ms", "UTC")])
def test_timestamps_are_microseconds_whatever_their_unit(tmp_path, kind):
    events = write_log(tmp_path / "log", "s")
    times = pa.array([None] * 5 + [(START + 1_000_050) * 10**6] * 7, pa.int64())
    integers = {"text": write_set(tmp_path / "integers", times)}
    stamps = times.cast(pa.timestamp("us")).cast(kind)
    timestamps = {"text": write_set(tmp_path / "timestamps", stamps)}
    for name, embeddings in (("a", integers), ("b", timestamps)):
        build_examples(options(events, tmp_path / name, embeddings=embeddings, partitions=1))
    assert shard_hashes(tmp_path / "a") == shard_hashes(tmp_path / "b")


def test_small_numbers_fit_no_unit():
    for unit in SIZES:
        assert time_units.fitting_unit(np.arange(1001), unit) is None
        assert time_units.fitting_unit(np.zeros(0, np.int64), unit) is None
        assert time_units.fitting_unit(np.array([START * SIZES[unit]]), unit) is None


def test_one_wrong_time_among_many_decides_nothing():
    assert time_units.fitting_unit(np.array([START, START + 1, START * 1000]), "s") is None
