"""CSV against Python's own reader, whatever is quoted, missing, broken over lines or compressed."""

import bz2
import csv
import gzip
import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv

from features.errors import UserInputError
from features.tables import formats
from features.tables.options import DEFAULT, TableOptions
from features.tables.places import BATCH_ROWS, Content
from features.tables.text import blocks, csv_columns, csv_records, files

INTEGER, FLOAT, STRING = pa.int64(), pa.float64(), pa.string()
MICROSECONDS = pa.timestamp("us")
RECORDS = st.text(alphabet='ab,"\r\n \\', max_size=60).map(str.encode)


@pytest.fixture
def small_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_CHUNK_BYTES", 50)
    monkeypatch.setattr(blocks, "_PLACE_BYTES", 120)
    monkeypatch.setattr(blocks, "_FIRST_SAMPLE", 40)


def _write(folder: Path, data: bytes | str, name: str = "log.csv") -> str:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def _batches(
    path: str, types: Mapping[str, pa.DataType], options: TableOptions = DEFAULT
) -> Iterator[pa.RecordBatch]:
    content = formats.inspect(path, options)
    for place in content.places:
        batches = list(formats.read(path, content.format, place, list(types), types, options))
        assert sum(batch.num_rows for batch in batches) == place.rows
        yield from batches


def _rows(
    path: str, types: Mapping[str, pa.DataType], options: TableOptions = DEFAULT
) -> list[tuple[Any, ...]]:
    found = []
    for batch in _batches(path, types, options):
        assert batch.schema.equals(pa.schema(list(types.items())))
        found += [tuple(row.values()) for row in batch.to_pylist()]
    return found


def _inspect(folder: Path, data: bytes | str) -> Content:
    return formats.inspect(_write(folder, data), DEFAULT)


def _plainly(data: bytes) -> list[int]:
    """Returns where records end, character by character, as Arrow has it."""
    ends, quoted, begins, position = [], False, True, 0
    while position < len(data):
        character = data[position : position + 1]
        position += 1
        if quoted:
            if data[position - 1 : position + 1] == b'""':
                position += 1
            elif character == b'"':
                quoted = False
        elif character == b'"' and begins:
            quoted = True
        elif character == b"\r" and position < len(data):
            position += data[position : position + 1] == b"\n"
            ends.append(position)
        elif character == b"\n":
            ends.append(position)
        begins = character in (b",", b"\n", b"\r") and not quoted
    return ends


@given(RECORDS)
def test_ends_of_records(data: bytes) -> None:
    try:
        found = csv_records.record_ends(data, ",").tolist()
    except pa.ArrowInvalid:
        assert b'\\"' in data
        return
    assert found == _plainly(data)


@given(st.text(alphabet='ab"\r\n 0', max_size=30).map(str.encode), st.integers(1, 5))
def test_rows_are_as_many_as_arrow_reads(data: bytes, size: int) -> None:
    records = blocks.Records(lambda some: csv_records.record_ends(some, ","))
    chunks = iter([data[start : start + size] for start in range(0, len(data), size)])
    try:
        counted = sum(block.rows for block in blocks.blocks(chunks, records))
    except pa.ArrowInvalid as error:
        assert "a quote is not closed" in str(error)
        return
    if data:
        options = arrow_csv.ReadOptions(column_names=["a"], block_size=len(data) + 1)
        parsing = arrow_csv.ParseOptions(newlines_in_values=True)
        table = arrow_csv.read_csv(pa.BufferReader(data), options, parsing)
        assert counted == table.num_rows


@given(st.lists(st.lists(st.text(max_size=20), min_size=2, max_size=2), max_size=20))
def test_written_by_python(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    folder = tmp_path_factory.mktemp("csv")
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
        text = io.StringIO(newline="")
        csv.writer(text, quoting=quoting).writerows([("word", "other"), *rows])
        path = _write(folder, text.getvalue())
        found = _rows(path, {"word": STRING, "other": STRING}, TableOptions(null_values=()))
        assert found == [tuple(row) for row in rows]


def test_places_of_a_file(tmp_path: Path, small_places: None) -> None:
    random = np.random.default_rng(0)
    words = ["plain", 'quoted "twice"', "two\nlines", "a,b", "", "long" * 30]
    rows = [(words[n % 6], int(n)) for n in random.integers(0, 1 << 40, 300)]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("word", "number"), *rows])
    data = text.getvalue().replace("long\r\n", "long\r\n\r\n").encode()
    path = _write(tmp_path, data)
    content = formats.inspect(path, DEFAULT)
    assert len(content.places) > 50
    end, first_row = len(b"word,number\r\n"), 0
    for number, place in enumerate(content.places):
        assert (place.number, place.start, place.first_row) == (number, end, first_row)
        end, first_row = end + place.size, first_row + place.rows
    assert (end, first_row) == (len(data), len(rows))
    types = {"number": INTEGER, "word": STRING}
    assert _rows(path, types, TableOptions(null_values=())) == [(n, word) for word, n in rows]
    for name, compressed in [
        ("log.csv.gz", gzip.compress(data[:1000], mtime=0) + gzip.compress(data[1000:], mtime=0)),
        ("log.csv.bz2", bz2.compress(data)),
        ("log.csv.zst", pa.compress(data, "zstd", asbytes=True)),
        ("log.csv", gzip.compress(data, mtime=0)),
    ]:
        path = _write(tmp_path, compressed, name)
        (place,) = formats.inspect(path, DEFAULT).places
        assert place.rows == len(rows)
        assert _rows(path, types, TableOptions(null_values=())) == [(n, word) for word, n in rows]


def test_a_header_of_several_chunks(tmp_path: Path, small_places: None) -> None:
    data = (f'"{"long " * 30}\n",b\n' + "1,2\n" * 100).encode()
    for name, written in (("log.csv", data), ("log.csv.gz", gzip.compress(data, mtime=0))):
        assert _rows(_write(tmp_path, written, name), {"b": INTEGER}) == [(2,)] * 100


@pytest.mark.parametrize("size", [10, 100, 1000])
def test_records_across_the_blocks_of_arrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(csv_columns, "_BLOCK_BYTES", size)
    rows = [(f"{'long' * (n % 60)}\n" * (n % 3), n) for n in range(300)]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("word", "number"), *rows])
    path = _write(tmp_path, text.getvalue())
    types = {"word": STRING, "number": INTEGER}
    assert _rows(path, types, TableOptions(null_values=())) == rows


def test_fingerprint_is_of_the_whole_file(tmp_path: Path) -> None:
    for data in (b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n", mtime=0), b"\xef\xbb\xbfa,b\n"):
        assert _inspect(tmp_path, data).fingerprint == {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }


def test_batches_are_bounded(tmp_path: Path) -> None:
    rows = BATCH_ROWS * 2 + 10
    path = _write(tmp_path, "n\n" + "\n".join(map(str, range(rows))))
    batches = list(_batches(path, {"n": INTEGER}))
    assert [batch.num_rows for batch in batches] == [BATCH_ROWS, BATCH_ROWS, 10]
    assert pa.Table.from_batches(batches)["n"].to_pylist() == list(range(rows))


@pytest.mark.parametrize(
    ("data", "types", "rows"),
    [
        ("a,b\n1,x\n\n\n2,y", {"a": INTEGER, "b": STRING}, [(1, "x"), (2, "y")]),
        ("\ufeffa,b\r\n1,x\r\n\r\n2,y", {"a": INTEGER, "b": STRING}, [(1, "x"), (2, "y")]),
        ("a,b\r1,x\r\r2,y\r", {"a": INTEGER, "b": STRING}, [(1, "x"), (2, "y")]),
        ('\ufeff"a","b ""c"""\n1,2\n', {'b "c"': INTEGER}, [(2,)]),
        ("\n\na,b\n1,2\n", {"b": INTEGER, "a": INTEGER}, [(2, 1)]),
        ("a,a,,b\n1,2,3,4\n", {"b": INTEGER, "": INTEGER}, [(4, 3)]),
        ('a,b\n\\N,"\\N"\n,""\n', {"a": INTEGER, "b": STRING}, [(None, "\\N"), (None, "")]),
        ('a\n"1"\n""\n', {"a": INTEGER}, [(1,), (None,)]),
        ('a,b\n"",""\n', {"a": FLOAT, "b": MICROSECONDS}, [(None, None)]),
        ("a,b\n00123,5\n", {"a": STRING, "b": STRING}, [("00123", "5")]),
        ("a,b\n1e3,-0.0\n7,inf\n", {"a": FLOAT, "b": FLOAT}, [(1000, -0.0), (7, np.inf)]),
        ("a\n9007199254740993\n", {"a": INTEGER}, [(9007199254740993,)]),
        ("a\n18446744073709551615\n", {"a": pa.uint64()}, [(2**64 - 1,)]),
        ("a\n18446744073709551615\n-7\n", {"a": INTEGER}, [(-1,), (-7,)]),
        ("a\ntrue\nFALSE\n1\n", {"a": pa.bool_()}, [(True,), (False,), (True,)]),
        ("a,b\ntrue,1\nFalse,\n", {"a": INTEGER, "b": FLOAT}, [(1, 1.0), (0, None)]),
        ("a\ntrue\n0.5\n", {"a": FLOAT}, [(1.0,), (0.5,)]),
        ("a,b\n,1\n,2\n", {"a": pa.null(), "b": INTEGER}, [(None, 1), (None, 2)]),
        ('a\n5" disk\n6" disk\n', {"a": STRING}, [('5" disk',), ('6" disk',)]),
        (b"a,b,c\n1,\xff,\0\n2,x,y\n", {"a": INTEGER}, [(1,), (2,)]),
        (b"a,b,c\n1,\xff,\0\n2,x,y\n", {}, [(), ()]),
        (
            'a,b\n1,"[0.5, 2]"\n2,"[1.0 2.0\n 3.0]"\n3,\n4,[]\n',
            {"a": INTEGER, "b": pa.list_(FLOAT)},
            [(1, [0.5, 2]), (2, [1, 2, 3]), (3, None), (4, [])],
        ),
        ("a\n7 8\n1 2\n", {"a": pa.list_(pa.int64(), 2)}, [([7, 8],), ([1, 2],)]),
    ],
)
def test_values(
    tmp_path: Path, data: str | bytes, types: dict[str, pa.DataType], rows: list[tuple[Any, ...]]
) -> None:
    assert _rows(_write(tmp_path, data), types) == rows


@pytest.mark.parametrize("kind", [MICROSECONDS, pa.timestamp("us", "UTC"), pa.timestamp("ms")])
def test_timestamps(tmp_path: Path, kind: pa.DataType) -> None:
    texts = {
        "2026-05-01 12:00:00": 0,
        "2026-05-01T12:00:00Z": 0,
        "2026-05-01 12:00:00+02:00": -7200_000_000,
        "2026-05-01": -12 * 3600_000_000,
        "2026-05-01T12:00:00.123456789": 123456 if kind.unit == "us" else 123000,
    }
    path = _write(tmp_path, "t\n" + "\n".join(texts))
    (batch,) = _batches(path, {"t": kind})
    noon = np.datetime64("2026-05-01T12:00:00", "us").astype(np.int64)
    microseconds = batch["t"].cast(pa.timestamp("us", kind.tz)).cast(INTEGER)
    assert [one - noon for one in microseconds.to_pylist()] == list(texts.values())


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ("1 2 -3", INTEGER),
        ("1 00123", STRING),
        ("1 -01", STRING),
        ("0 100 0.5", FLOAT),
        ("0.5 00.5", STRING),
        ("1 18446744073709551615", pa.uint64()),
        ("-1 18446744073709551615", STRING),
        ("1 98446744073709551615", STRING),
        ("1.5 98446744073709551615", FLOAT),
        ("a 1", STRING),
        ("true false", pa.bool_()),
        ("2026-05-01 2026-05-02", pa.date32()),
        ("2026-05-01T10:00:00", pa.timestamp("s")),
        ("12:30 12:31", STRING),
        (" \\N", pa.null()),
        ('"" \\N', STRING),
        ('"1" ""', INTEGER),
    ],
)
def test_inferred_types(tmp_path: Path, texts: str, kind: pa.DataType) -> None:
    data = "".join(f"{n},{text}\n" for n, text in enumerate(texts.split(" ")))
    assert _inspect(tmp_path, "n,value\n" + data).schema.field("value").type == kind


def test_types_are_inferred_beyond_the_beginning(tmp_path: Path, small_places: None) -> None:
    data = "a\n" + "1\n" * 200 + "007\n" + "1\n" * 200
    assert _inspect(tmp_path, data).schema.field("a").type == STRING


def test_columns_without_rows(tmp_path: Path) -> None:
    content = _inspect(tmp_path, "a,b\n")
    assert content.schema == pa.schema([("a", pa.null()), ("b", pa.null())])
    assert content.places == ()
    assert _inspect(tmp_path, "").schema == pa.schema([])
    assert _inspect(tmp_path, gzip.compress(b"", mtime=0)).places == ()


def test_delimiters(tmp_path: Path) -> None:
    types = {"a": INTEGER, "b": STRING}
    path = _write(tmp_path, "a;b\n1;x,y\n2;\n")
    options = TableOptions(delimiter=";", null_values=("",))
    assert _rows(path, types, options) == [(1, "x,y"), (2, None)]
    assert _rows(_write(tmp_path, "a\tb\n1\tx,y\n", "a.tsv"), types) == [(1, "x,y")]
    path = _write(tmp_path, gzip.compress(b"a\tb\n1\tx,y\n", mtime=0), "a.tsv.gz")
    assert _rows(path, types) == [(1, "x,y")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a,b\n1,2\n3\n", r"line 3 has 1 values, expected 2 as in the header: '3'"),
        ('a,b\n"1\n\n",2\n\n1,2,3\n', r"line 6 has 3 values, expected 2"),
        ("1,2\n3,4\n", r"first line is '1,2', values and no header"),
        ("a;b\n1;2\n", r"header 'a;b' is one name, unless ';' separates names.*--delimiter"),
        ('a,b\n1,"x\n2,y\n', r"byte 4 does not end: a quote is not closed"),
        ('a\n"x \\"q\\" y"\n', r"escapes a quote by a backslash, expected two quotes"),
        (b"\xff,b\n1,2\n", r"header .* cannot be parsed"),
        (gzip.compress(b"a,b\n" * 1000, mtime=0)[:-9], r"Truncated compressed stream"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, data: str | bytes, message: str) -> None:
    with pytest.raises(UserInputError, match=r"(?s)log\.csv.*" + message):
        _inspect(tmp_path, data)


@pytest.mark.parametrize(
    ("bad", "kind", "message"),
    [
        ("007", INTEGER, "'007' has leading zeros, expected int64.*--text_column"),
        ("1.0", INTEGER, "'1.0' is not int64"),
        ("x", FLOAT, "'x' is not double"),
        ("1 May", MICROSECONDS, r"'1 May' is not timestamp\[us\]"),
        (b"\xff", STRING, r"'\\\\xff' is not UTF-8"),
        ("yes", pa.bool_(), "'yes' is not bool"),
        ("x", pa.null(), "'x' is not null"),
        ("[1, x]", pa.list_(INTEGER), ".*is not list"),
        ("[1]", pa.list_(INTEGER, 2), ".*is not fixed_size_list"),
    ],
)
def test_a_value_of_another_type_is_named(
    tmp_path: Path, small_places: None, bad: str | bytes, kind: pa.DataType, message: str
) -> None:
    bad = f'"{bad}"'.encode() if isinstance(bad, str) else bad
    data = b'"a\nb",c\n' + b"1,\n\n" * 100 + b"2," + bad + b"\n" + b"1,\n" * 100
    for name, written in (("log.csv", data), ("log.csv.gz", gzip.compress(data, mtime=0))):
        path = _write(tmp_path, written, name)
        with pytest.raises(pa.ArrowInvalid, match=f"line 203, column 'c': {message}"):
            _rows(path, {"c": kind})


def test_a_record_of_another_length_is_named(
    tmp_path: Path, small_places: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_LATER_SAMPLE", 4)
    path = _write(tmp_path, "a,b\n" + "1,2\n" * 100 + "1,2,3\n" + "1,2\n" * 100)
    with pytest.raises(pa.ArrowInvalid, match="line 102 has 3 values, expected 2"):
        _rows(path, {"a": INTEGER})


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, "a,b\n1,2\n1,2\n")
    content = formats.inspect(path, DEFAULT)
    _write(tmp_path, "a,b\n12345,2\n")
    with pytest.raises(pa.ArrowInvalid, match="1 rows from byte 4, 2 when opened"):
        list(formats.read(path, "csv", content.places[0], ["a"], {"a": INTEGER}, DEFAULT))


def test_a_name_that_repeats_is_not_read(tmp_path: Path) -> None:
    path = _write(tmp_path, "a,a,b\n1,2,3\n")
    with pytest.raises(pa.ArrowInvalid, match="'a' is there 2 times"):
        _rows(path, {"a": INTEGER})
