"""Logs and sets as they come: layouts, formats, names and types; what is not read is told."""

import decimal
import json

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from features.tables.options import TableOptions
from pipeline.statistics import assessment, drift, inspection
from pipeline.statistics.log_source import LogSource
from pipeline.statistics.options import DriftConfig, DriftThresholds
from tests.pipeline.statistics import statistics_data as sample
from tests.pipeline.statistics.test_inspect_data import command


def columns_of(events=600):
    rows = sample.clean_log(events=events)
    return {name: pa.array(values) for name, values in rows.items()}


def write(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=250)
    return str(path)


def collected(tmp_path, source, embeddings=None, tables=None):
    given = {} if tables is None else {"tables": tables}
    return assessment.collect(source, embeddings or {}, None, str(tmp_path), **given)


def inspected(tmp_path, source):
    return inspection.inspect(source, {}, None, str(tmp_path / "out"))


def iso(seconds):
    texts = [str(np.datetime64(int(value), "s")) for value in seconds]
    return pa.array(
        [text + zone for text, zone in zip(texts, ["", "Z"] * len(texts), strict=False)]
    )


SECONDS = {
    "s": lambda values: values,
    "ms": lambda values: values * 1000,
    "us": lambda values: values * 1_000_000,
    "ns": lambda values: values * 1_000_000_000,
    "timestamp[s]": lambda values: pa.array(values, pa.timestamp("s")),
    "timestamp[ns, tz=Europe/Berlin]": lambda values: pa.array(
        values * 1_000_000_000, pa.timestamp("ns", "Europe/Berlin")
    ),
    "string": iso,
}


@pytest.mark.parametrize("kind", SECONDS)
def test_timestamps_of_every_type_have_the_same_figures(tmp_path, kind):
    columns = columns_of()
    seconds = columns["timestamp"].to_numpy()
    expected = collected(tmp_path, LogSource(write(tmp_path / "s.parquet", columns), ("click",)))
    columns["timestamp"] = pa.array(SECONDS[kind](seconds))
    path = write(tmp_path / "other.parquet", columns)
    unit = kind if len(kind) < 3 else "s"
    found = collected(tmp_path, LogSource(path, ("click",), timestamp_unit=unit))
    log, other = expected["log"], found["log"]
    own = "us" if len(kind) > 2 else kind
    assert other["time"].pop("unit") == own and log["time"].pop("unit") == "s"
    assert other["time"] == log["time"] and other["labels"] == log["labels"]
    assert other["duplicates"] == log["duplicates"]
    factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[own]
    one = other["columns"]["timestamp"]
    assert (one["min"], one["max"]) == (seconds.min() * factor, seconds.max() * factor)
    assert one["distinct"] == len(np.unique(seconds))
    # A typed time is shown as one, and no finding asks for a flag.
    source = LogSource(path, ("click",), timestamp_unit=unit)
    assert inspected(tmp_path, source).assessment.findings == ()
    page = (tmp_path / "out" / "report.html").read_text()
    assert ("2023-11-14 22:" in page) == (one["kind"] == "time")


def test_texts_that_are_no_time_are_found(tmp_path):
    columns = columns_of()
    texts = iso(columns["timestamp"].to_numpy()).to_pylist()
    texts[:4] = ["yesterday", "2023-13-01", None, ""]
    columns["timestamp"] = pa.array(texts)
    source = LogSource(write(tmp_path / "log.parquet", columns), ("click",))
    (missing, bad) = sorted(inspected(tmp_path, source).assessment.findings, key=lambda x: x.check)
    assert (missing.check, bad.check) == ("missing", "timestamp_range")
    assert missing.message.startswith("1 of 600") and bad.message.startswith("3 of 600")
    assert "no time from 1970" in bad.message and "--timestamp_unit" not in bad.message


LABELS = {
    "bool": lambda values: pa.array(values == 1),
    "uint8": lambda values: pa.array(values, pa.uint8()),
    "halffloat": lambda values: pa.array(values.astype(np.float16)),
    "decimal": lambda values: pa.array([decimal.Decimal(int(v)) for v in values], pa.decimal128(9)),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_type(tmp_path, kind):
    columns = columns_of()
    values = columns["click"].to_numpy()
    columns["isClick"] = LABELS[kind](values)
    del columns["click"]
    source = LogSource(write(tmp_path / "log.parquet", columns), ("is_click",))
    found = collected(tmp_path, source)["log"]
    assert found["labels"]["is_click"]["positives"] == values.sum()
    assert found["labels"]["is_click"]["known"] == 600
    assert found["columns"]["is_click"]["column"] == "isClick"


def test_null_label_counts_as_the_join_counts_it(tmp_path):
    columns = columns_of()
    values = columns["click"].to_numpy()
    columns["click"] = pa.array([1 if value else None for value in values])
    write(tmp_path / "log" / "0.parquet", columns)
    without = columns_of(100)
    del without["click"]
    write(tmp_path / "log" / "1.parquet", without)
    with pytest.raises(UserInputError, match="no column 'click'"):
        collected(tmp_path, LogSource(str(tmp_path / "log"), ("click",)))
    source = LogSource(str(tmp_path / "log"), ("click",), null_label=0)
    label = collected(tmp_path, source)["log"]["labels"]["click"]
    assert label["known"] == 700 and label["positives"] == values.sum() and label["nulls"] == 0
    assert not inspected(tmp_path, source).assessment.is_bad


def test_columns_that_nothing_reads_are_named_and_no_more(tmp_path):
    columns = columns_of(60)
    texts = pa.array([b"\xff\xfe", None, *[b"x"] * 58], pa.binary())
    columns |= {
        "nested": pa.array([{"a": 1}] * 60),
        "lists": pa.array([[[1]]] * 60),
        "wide": pa.array([decimal.Decimal("1.5")] * 60, pa.decimal256(60, 2)),
        "huge": pa.array([decimal.Decimal(10**30)] * 60, pa.decimal256(60, 0)),
        "duration": pa.array([1] * 60, pa.duration("s")),
        "bytes": texts,
        "odd": pa.Array.from_buffers(pa.string(), 60, texts.buffers()),
        "late": pa.array([2**48] * 60, pa.timestamp("s")),
        "zone": pa.array([1] * 60, pa.timestamp("us", "Mars/Phobos")),
        "nothing": pa.nulls(60),
        "flags": pa.array([True, None] * 30),
    }
    path = write(tmp_path / "log.parquet", columns)
    found = inspected(tmp_path, LogSource(path, ("click",)))
    log = found.statistics["log"]
    assert {name: one["type"] for name, one in log["not_read"].items()} == {
        "nested": "struct<a: int64>",
        "lists": "list<element: list<element: int64>>",
        "huge": "decimal256(60, 0)",
        "duration": "duration[s]",
    }
    (finding,) = [one for one in found.assessment.findings if one.check == "not_read"]
    assert finding.subject == "events.huge" and repr(path) in finding.message
    assert log["columns"]["bytes"]["top"][0] == ["x", 58]
    for name in ("bytes", "odd"):
        assert ["\\xff\\xfe", 1] in log["columns"][name]["top"]
    assert log["columns"]["wide"]["mean"] == 1.5 and log["columns"]["nothing"]["nulls"] == 60
    assert not found.assessment.is_bad
    page = (tmp_path / "out" / "report.html").read_text()
    assert "struct&lt;a: int64&gt;" in page and "nothing reads this type" in page
    text = inspection.describe(found, "out")
    assert "nested (struct<a: int64>)" in text.splitlines()[-1]
    with pytest.raises(UserInputError, match=r"log\.parquet.*rows 0 to 60"):
        collected(tmp_path, LogSource(path, ("huge",)))


def test_files_that_do_not_go_together_matter_to_who_reads_them(tmp_path):
    for number, prices in enumerate((["1"] * 50, [1.5] * 50)):
        write(tmp_path / "log" / f"{number}.parquet", columns_of(50) | {"price": pa.array(prices)})
    source = LogSource(str(tmp_path / "log"), ("click",))
    found = inspected(tmp_path, source)
    assert "price" not in found.statistics["log"]["columns"]
    (finding,) = [one for one in found.assessment.findings if one.check == "not_read"]
    assert finding.subject == "events.price" and "Write both alike" in finding.message
    with pytest.raises(UserInputError, match="price"):
        collected(tmp_path, LogSource(str(tmp_path / "log"), ("price",)))


def test_columns_without_a_name_of_their_own_are_told(tmp_path):
    columns = columns_of(60) | {"Click": pa.array([0] * 60), "價格": pa.array([1.5] * 60)}
    source = LogSource(write(tmp_path / "log.parquet", columns), ("click",))
    found = inspected(tmp_path, source)
    assert {name: one["type"] for name, one in found.statistics["log"]["not_read"].items()} == {
        "Click": "int64",
        "價格": "double",
    }
    messages = [one.message for one in found.assessment.findings if one.check == "not_read"]
    assert [text.endswith(f"--column NAME={name}.") for text, name in zip(
        messages, ("Click", "價格"), strict=True)] == [True, True]  # fmt: skip
    named = LogSource(source.events, ("click",), tables=TableOptions(columns=("price=價格",)))
    assert inspected(tmp_path, named).statistics["log"]["columns"]["price"]["mean"] == 1.5


def test_layouts_formats_and_names_have_the_same_figures(tmp_path):
    columns = columns_of()
    plain = write(tmp_path / "plain.parquet", columns)
    expected = collected(tmp_path, LogSource(plain, ("click",)))["log"]
    table = pa.table(columns).rename_columns({"user_id": "uid", "click": "isClick"})
    folder = tmp_path / "log"
    for day, part in (("1", table.slice(0, 200)), ("2", table.slice(200))):
        (folder / f"day={day}").mkdir(parents=True)
        pa_csv.write_csv(part, folder / f"day={day}" / "part-0.csv")
    (folder / "_SUCCESS").write_text("")
    options = TableOptions(columns=("user_id=uid",))
    source = LogSource((f"{folder}/day=1", f"{folder}/day=2"), ("is_click",), tables=options)
    found = collected(tmp_path, source, tables=options)["log"]
    assert found["rows"] == 600
    assert found["labels"]["is_click"] == expected["labels"]["click"]
    for name in ("user_id", "item_id", "timestamp", "rating", "country"):
        ours, theirs = found["columns"][name], expected["columns"][name]
        assert ours.pop("column", "uid") == "uid"
        assert {**ours, "type": ""} == {**theirs, "type": ""}
    assert found["columns"]["day"]["top"] == [[2, 400], [1, 200]]
    run = command(
        f"--events={folder}", "--labels=isClick", "--column=user_id=uid", "--filter=day == 2",
        f"--output={tmp_path}/out",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "passed over: 1 (name begins with . or _: _SUCCESS)" in run.stderr
    last = run.stdout.splitlines()[-1]
    assert last.startswith("Left out of --events: 2 files") and "--filter: 1" in last, last
    log = json.loads((tmp_path / "out" / "statistics.json").read_text())["log"]
    assert log["rows"] == 400
    assert log["files"] == {
        "read": 1,
        "passed_over": {"name begins with . or _": 1},
        "ruled_out": 1,
    }
    none = command(
        f"--events={folder}", "--labels=isClick", "--column=user_id=uid", "--filter=rating > 9",
        f"--output={tmp_path}/none",
    )  # fmt: skip
    assert none.returncode == 2 and "none of the 600 rows" in none.stderr, none.stderr


def test_several_paths_after_one_flag(tmp_path):
    for number in range(3):
        write(tmp_path / "log" / f"{number}.parquet", columns_of(100))
    paths = sorted(map(str, (tmp_path / "log").iterdir()))
    run = command("--events", *paths, f"--output={tmp_path}/out")
    assert run.returncode == 0, run.stderr
    log = json.loads((tmp_path / "out" / "statistics.json").read_text())["log"]
    assert log["files"]["read"] == 3 and log["rows"] == 300


def test_a_column_that_no_table_has_is_told(tmp_path):
    path = write(tmp_path / "log.parquet", columns_of(50))
    run = command(f"--events={path}", "--column=price=cost", f"--output={tmp_path}/out")
    assert run.returncode == 2 and "'cost'" in run.stderr and "Traceback" not in run.stderr


def test_sets_with_names_of_their_own_meet_a_log_of_bytes(tmp_path):
    columns = columns_of()
    columns["item_id"] = columns["item_id"].cast(pa.binary())
    log = write(tmp_path / "log.parquet", columns)
    ids, vectors = sample.clean_vectors()
    vectors = pa.array([list(map(float, one)) for one in vectors], pa.list_(pa.float32()))
    times = pa.array([sample.START] * len(ids), pa.timestamp("s"))
    named = {"sku": pa.array(ids), "Embedding": vectors, "availableAt": times}
    path = write(tmp_path / "text" / "vectors", named)
    options = TableOptions(columns=("embeddings.item_id=sku",))
    source = LogSource(log, ("click",), tables=options)
    found = collected(tmp_path, source, {"text": path}, options)["embedding_sets"]["text"]
    assert found["usable"] == 80 and found["dimension"] == 16
    assert found["available_at"]["median"] == sample.START * 10**6
    coverage = found["coverage"]
    assert coverage["same_kind_of_id"] and coverage["event_share"] == coverage["in_time_share"] == 1


def test_types_that_are_read_alike_are_no_drift(tmp_path):
    columns = columns_of()
    before = collected(tmp_path, LogSource(write(tmp_path / "0.parquet", columns), ("click",)))
    columns["user_id"] = columns["user_id"].cast(pa.int32())
    columns["country"] = columns["country"].cast(pa.large_string())
    after = collected(tmp_path, LogSource(write(tmp_path / "1.parquet", columns), ("click",)))
    assert {one.change for one in drift.compare(after, before, DriftThresholds())} == {0, 1}
    assert not any(one.is_breach for one in drift.compare(after, before, DriftThresholds()))


def test_a_baseline_with_the_names_of_files_is_read(tmp_path):
    columns = columns_of()
    columns["isClick"] = columns.pop("click")
    source = LogSource(write(tmp_path / "0.parquet", columns), ("is_click",))
    inspection.inspect(source, {}, None, str(tmp_path / "base"))
    path = tmp_path / "base" / "statistics.json"
    path.write_text(path.read_text().replace('"is_click"', '"isClick"'))
    config = DriftConfig(baseline=str(path))
    found = inspection.inspect(source, {}, None, str(tmp_path / "out"), config=config)
    assert not any(one.measure == "schema_changes" and one.is_breach
                   for one in found.assessment.changes)  # fmt: skip
    assert {one.subject for one in found.assessment.changes if one.measure == "label_rate"} == {
        "events.is_click"
    }
