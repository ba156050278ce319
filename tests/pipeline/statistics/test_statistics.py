"""Statistics against NumPy on the same rows, and larger than DuckDB's memory."""

import collections
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.embeddings import byte_vectors
from features.errors import UserInputError
from features.tables import expressions
from models.inputs.example_set import ExampleSet
from pipeline.statistics import columns, records, time_buckets
from pipeline.statistics.database import open_database
from pipeline.statistics.embeddings import embedding_statistics, open_set
from pipeline.statistics.log import log_statistics
from pipeline.statistics.log_source import LogSource, open_log
from tests import synthetic
from tests.pipeline.statistics import statistics_data as sample


def log_of(tmp_path, source, memory_limit="200MB"):
    with open_database(str(tmp_path), memory_limit) as connection:
        return log_statistics(connection, open_log(source))


@pytest.fixture
def rows():
    """A log with nulls, NaN, infinity, repeated rows, times out of range and bad labels."""
    rows = sample.clean_log(seed=3, events=2000)
    rows["price"][:5] = [np.nan, np.inf, -np.inf, 0.0, -2.5]
    rows["country"][10:40] = None
    rows["timestamp"][50:53] = [-1, 10**12, 2**62]
    rows["click"][60:64] = 7
    for name, values in rows.items():
        rows[name] = np.concatenate([values, values[100:150]])
    return rows


def test_numbers_are_numpys(tmp_path, rows):
    folder = sample.write_log(tmp_path / "log", rows)
    found = log_of(tmp_path, LogSource(folder, ("click",)))
    assert found["rows"] == 2050
    for name in ("rating", "price", "timestamp"):
        one, values = found["columns"][name], rows[name].astype(np.float64)
        finite = values[np.isfinite(values)]
        assert one["not_finite"] == len(values) - len(finite)
        assert (one["min"], one["max"]) == (finite.min(), finite.max())
        if name != "timestamp":
            assert one["mean"] == pytest.approx(finite.mean(), rel=1e-9)
            assert one["std"] == pytest.approx(finite.std(), rel=1e-9)
        expected = np.quantile(finite, columns.QUANTILES, method="inverted_cdf")
        assert [value for _, value in one["quantiles"]] == expected.tolist()
        assert sum(count for *_, count in one["histogram"]) == len(finite)
        for low, high, count in one["histogram"]:
            assert count == np.sum((finite >= low) & (finite <= high)), (low, high)


def test_values_and_ids_are_counters(tmp_path, rows):
    folder = sample.write_log(tmp_path / "log", rows)
    found = log_of(tmp_path, LogSource(folder, ("click",)))["columns"]
    for name in ("user_id", "item_id", "country", "rating"):
        counted = collections.Counter(value for value in rows[name].tolist() if value is not None)
        one = found[name]
        assert one["nulls"] == sum(value is None for value in rows[name])
        assert one["distinct"] == len(counted)
        expected = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        assert [tuple(pair) for pair in one["top"]] == expected[: columns.TOP_VALUES]
    counted = collections.Counter(rows["user_id"].tolist())
    for least, most, ids, events in found["user_id"]["rows_per_id"]:
        inside = [n for n in counted.values() if least <= n <= most]
        assert (ids, events) == (len(inside), sum(inside))
    top = sorted(counted.values(), reverse=True)[: -(-len(counted) // 100)]
    assert found["user_id"]["top_percent_rows"] == sum(top)


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1000), ("us", 1_000_000)])
def test_labels_by_time_add_up(tmp_path, rows, unit, factor):
    valid = (rows["timestamp"] >= 0) & (rows["timestamp"] < time_buckets.LATEST // 10**6)
    seconds = rows["timestamp"].copy()
    rows["timestamp"] = np.where(valid, seconds * factor, rows["timestamp"] * (seconds < 0))
    rows["timestamp"][~valid] = -5
    folder = sample.write_log(tmp_path / "log", rows)
    liked = {"liked": expressions.parse("rating >= 4")}
    found = log_of(tmp_path, LogSource(folder, ("click", "liked"), liked, unit))
    known = np.isin(rows["click"], (0, 1))
    assert found["labels"]["click"] == {
        "known": known.sum(),
        "positives": rows["click"][known].sum(),
        "rate": rows["click"][known].sum() / known.sum(),
        "nulls": 0,
        "bad": (~known).sum(),
    }
    assert found["labels"]["liked"]["positives"] == np.sum(rows["rating"] >= 4)
    time = found["time"]
    assert time["out_of_range"] == np.sum(~valid)
    assert time["first"] == seconds[valid].min() * 10**6
    width = time["width"] // 10**6
    assert 20 <= len(time["buckets"]) <= 60
    for bucket in time["buckets"]:
        start = bucket["start"] // 10**6
        inside = valid & (seconds >= start) & (seconds < start + width)
        assert bucket["events"] == inside.sum()
        assert bucket["labels"]["click"] == {
            "known": (inside & known).sum(),
            "positives": rows["click"][inside & known].sum(),
        }
        assert bucket["labels"]["liked"]["positives"] == np.sum(rows["rating"][inside] >= 4)
    assert sum(bucket["events"] for bucket in time["buckets"]) == valid.sum()


def test_repeated_rows_are_counted(tmp_path, rows):
    folder = sample.write_log(tmp_path / "log", rows)
    found = log_of(tmp_path, LogSource(folder, ("click",)))["duplicates"]
    assert found == {"share": 50 / 2050, "sampled_share": 1.0}


def test_null_inputs_leave_a_derived_label_unknown(tmp_path):
    rows = sample.clean_log(events=100)
    rows["rating"] = np.array([None if i < 7 else 5.0 for i in range(100)], object)
    folder = sample.write_log(tmp_path / "log", rows)
    source = LogSource(folder, ("liked",), {"liked": expressions.parse("rating >= 4")})
    found = log_of(tmp_path, source)["labels"]["liked"]
    assert (found["known"], found["positives"], found["nulls"]) == (93, 93, 7)


def test_order_and_files_of_rows_change_nothing(tmp_path, rows):
    order = np.random.default_rng(0).permutation(len(rows["click"]))
    shuffled = {name: values[order] for name, values in rows.items()}
    texts = []
    for number, (values, files) in enumerate([(rows, 1), (rows, 4), (shuffled, 7)]):
        folder = sample.write_log(tmp_path / str(number), values, files)
        found = log_of(tmp_path, LogSource(folder, ("click",)))
        assert found.pop("files") == {"read": files, "passed_over": {}, "ruled_out": 0}
        texts.append(json.dumps(found))
    assert len(set(texts)) == 1


def test_types_that_differ_between_files(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    base = {"item_id": ["a", "b"], "timestamp": pa.array([1, 5000], pa.int32()), "click": [0, 1]}
    first = {**base, "user_id": pa.array([1, 2], pa.int32()), "x": pa.array([1, 2], pa.float32())}
    item = pa.array(["a", "c"]).dictionary_encode()
    second = {**base, "user_id": [2, 3], "item_id": item, "x": pa.array(np.float16([3, 4]))}
    pq.write_table(pa.table(first), folder / "0.parquet")
    pq.write_table(pa.table({**second, "tags": [["x"], None]}), folder / "1.parquet")
    found = log_of(tmp_path, LogSource(str(folder), ("click",)))
    assert found["columns"]["user_id"]["distinct"] == 3
    assert found["columns"]["item_id"]["top"] == [["a", 2], ["b", 1], ["c", 1]]
    assert found["columns"]["x"]["max"] == 4
    assert found["columns"]["tags"] == {
        "type": "list<element: string>", "kind": "other", "rows": 4, "nulls": 3
    }  # fmt: skip
    # 32-bit seconds do not overflow as microseconds.
    assert found["time"]["last"] == 5_000_000_000
    pq.write_table(pa.table({**base, "user_id": ["x", "y"]}), folder / "2.parquet")
    with pytest.raises(UserInputError, match="user_id"):
        log_of(tmp_path, LogSource(str(folder), ("click",)))


def test_spills_beyond_its_memory_and_leaves_nothing(tmp_path):
    rows = sample.clean_log(events=1_000_000, users=900_000)
    rows["item_id"] = rows["item_id"].astype(str)
    folder = sample.write_log(tmp_path / "log", rows)
    texts = {
        json.dumps(log_of(tmp_path, LogSource(folder, ("click",)), limit))
        for limit in ("48MB", "1GB")
    }
    assert len(texts) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_database_reaches_no_file_and_no_extension(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with open_database(str(tmp_path)) as connection:
        for query in (f"SELECT * FROM '{path}'", "INSTALL httpfs", "LOAD httpfs"):
            with pytest.raises(Exception, match=r"(?i)disabled|permission|not"):
                connection.execute(query)
    with pytest.raises(UserInputError, match="500MB"), open_database(str(tmp_path), "lots"):
        pass


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: rows.pop("user_id"), "no column 'user_id'"),
        (lambda rows: rows.update(timestamp=rows["timestamp"] + 0.5), "'timestamp' is double"),
        (lambda rows: rows.update(click=rows["country"]), "'click' is string"),
        (lambda rows: rows.update({name: rows[name][:0] for name in rows}), "hold no row"),
    ],
)
def test_schema_is_told(tmp_path, change, expected):
    rows = sample.clean_log(events=30)
    change(rows)
    if not len(rows["click"]):
        rows["item_id"], rows["country"] = (np.array([], str) for _ in range(2))
    folder = sample.write_log(tmp_path / "log", rows, files=1)
    with pytest.raises(UserInputError, match=expected):
        log_of(tmp_path, LogSource(folder, ("click",)))


def test_embeddings_are_numpys(tmp_path):
    ids, vectors = sample.clean_vectors(items=9000)
    vectors[1], vectors[2], vectors[3] = None, vectors[2][:-1], vectors[3] * np.nan
    vectors[4], vectors[6] = vectors[4] * 0, vectors[5]
    ids[7], ids[8] = None, "item-9"
    ids[10:12] = ["other-1", "other-2"]
    rows = sample.clean_log(events=3000, items=20)
    times = [0 if i % 2 else (sample.START + 86_400 * 10) * 10**6 for i in range(len(ids))]
    log = sample.write_log(tmp_path / "log", rows)
    folder = sample.write_vectors(tmp_path / "text", ids, vectors, times)
    with open_database(str(tmp_path)) as connection:
        opened = open_log(LogSource(log, ("click",)))
        log_statistics(connection, opened)
        found = embedding_statistics(connection, open_set("text", folder), opened)
    assert found["rows"] == 9000 and found["dimension"] == 16
    assert found["rejected"] == {
        "item_id is null": 1, "embedding is null": 1, "wrong length": 1, "NaN or infinity": 1,
        "item_id appeared before": 1,
    }  # fmt: skip
    assert (found["usable"], found["zero"], found["largest_group"]) == (8995, 1, 2)
    good = [i for i in range(9000) if i not in (1, 2, 3, 7)]
    norms = np.linalg.norm(np.float32([vectors[i] for i in good]).astype(np.float64), axis=1)
    assert found["norm"]["mean"] == pytest.approx(norms.mean(), rel=1e-9)
    assert found["distinct"] == len(np.unique([vectors[i] for i in good], axis=0))
    covered = {f"item-{i}": times[i] for i in range(20) if i not in (1, 2, 3, 4, 7, 8, 10, 11)}
    events = [item in covered for item in rows["item_id"]]
    timely = [
        item in covered and min(covered[item], times[8] if item == "item-9" else 2**62) <= t * 10**6
        for item, t in zip(rows["item_id"], rows["timestamp"], strict=True)
    ]
    coverage = found["coverage"]
    assert coverage["items"] == len(covered) and coverage["events"] == sum(events)
    assert coverage["item_share"] == len(covered) / 20
    assert 0 < coverage["in_time_share"] == sum(timely) / 3000 < coverage["event_share"]
    assert coverage["unused"] == 8994 - len(covered)


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.int8()])
def test_embeddings_of_every_type(tmp_path, kind):
    values = np.random.default_rng(0).integers(-9, 9, (50, 8))
    flat = pa.array(values.ravel().astype(kind.to_pandas_dtype()))
    arrays = [
        pa.FixedSizeListArray.from_arrays(flat, 8),
        pa.array(list(values.astype(kind.to_pandas_dtype()))),
    ]
    if kind == pa.int8():
        arrays.append(byte_vectors.to_column(values))
    for number, array in enumerate(arrays):
        pq.write_table(
            pa.table({"item_id": np.arange(50), "embedding": array}), tmp_path / f"{number}.parquet"
        )
        with open_database(str(tmp_path)) as connection:
            path = str(tmp_path / f"{number}.parquet")
            found = embedding_statistics(connection, open_set("text", path))
        assert found["norm"]["max"] == pytest.approx(np.linalg.norm(values, axis=1).max())
        assert found["usable"] == 50 and "coverage" not in found


def test_records_label_rates_are_the_requests(tmp_path):
    examples = synthetic.write_example_set(str(tmp_path / "examples"))
    found = records.label_rates_by_time(examples)
    assert found["sampled_share"] == 1
    expected = collections.Counter()
    for number, (_, count) in enumerate(synthetic.SPLITS.items()):
        for request in synthetic.random_requests(count=count, seed=number):
            bucket = request.timestamp // found["width"] * found["width"]
            expected[bucket, "events"] += len(request.candidate_item_id)
            expected[bucket, "positives"] += int(request.labels["click"].sum())
    for bucket in found["buckets"]:
        assert bucket["events"] == expected[bucket["start"], "events"]
        assert bucket["labels"]["click"]["positives"] == expected[bucket["start"], "positives"]
    assert sum(bucket["events"] for bucket in found["buckets"]) == sum(
        count for (_, key), count in expected.items() if key == "events"
    )
    sampled = records.label_rates_by_time(ExampleSet.open(examples.folder), largest=200)
    assert 0.2 < sampled["sampled_share"] < 0.5


def test_log_of_nothing_is_told(tmp_path):
    with pytest.raises(UserInputError, match="--events"):
        open_log(LogSource(str(tmp_path), ("click",)))
