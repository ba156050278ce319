"""JSON lines against Python's own parser."""

import gzip
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UserInputError
from features.tables import formats
from features.tables.options import DEFAULT, TableOptions
from features.tables.places import BATCH_ROWS
from features.tables.text import blocks, files

INTEGER, FLOAT, STRING = pa.int64(), pa.float64(), pa.string()
MICROSECONDS = pa.timestamp("us")
FLOATS = pa.list_(FLOAT)
VALUES = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False) | st.integers(-5, 5),
    "text": st.text(max_size=10).map(lambda text: text.encode(errors="ignore").decode()),
    "truth": st.booleans(),
    "list": st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
}
KINDS = {
    "integer": INTEGER, "float": FLOAT, "text": STRING, "truth": pa.bool_(), "list": FLOATS
}  # fmt: skip


@pytest.fixture
def small_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_CHUNK_BYTES", 50)
    monkeypatch.setattr(blocks, "_PLACE_BYTES", 120)
    monkeypatch.setattr(blocks, "_FIRST_SAMPLE", 40)
    monkeypatch.setattr(blocks, "_LATER_SAMPLE", 4)
    monkeypatch.setattr(blocks, "_MOST_SAMPLED", 60)


def _write(folder: Path, data: bytes | str, name: str = "log.jsonl") -> str:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def _rows(
    path: str, types: Mapping[str, pa.DataType], options: TableOptions = DEFAULT
) -> list[tuple[Any, ...]]:
    content = formats.inspect(path, options)
    found = []
    for place in content.places:
        batches = list(formats.read(path, content.format, place, list(types), types, options))
        assert sum(batch.num_rows for batch in batches) == place.rows
        assert all(batch.schema.equals(pa.schema(list(types.items()))) for batch in batches)
        assert max(batch.num_rows for batch in batches) <= BATCH_ROWS
        found += [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    return found


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={n: st.none() | v for n, v in VALUES.items()}),
        max_size=20,
    )
)
def test_written_by_python(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    data = "".join(json.dumps(row, ensure_ascii=len(row) % 2 == 0) + "\n" for row in rows)
    path = _write(tmp_path_factory.mktemp("json"), data)
    assert _rows(path, KINDS) == [tuple(row.get(name) for name in KINDS) for row in rows]


def test_places_of_a_file(tmp_path: Path, small_places: None) -> None:
    numbers = np.random.default_rng(0).integers(0, 1 << 40, 300).tolist()
    lines = [json.dumps({"number": n, "text": f'two\n"{n % 7}"', "other": [{}]}) for n in numbers]
    lines[10], lines[200] = f" \n\n{lines[10]}", f"\t\n{lines[200]}\r"
    data = "\n".join(lines).encode()
    path = _write(tmp_path, data)
    content = formats.inspect(path, DEFAULT)
    assert len(content.places) > 50
    end, first_row = 0, 0
    for number, place in enumerate(content.places):
        assert (place.number, place.start, place.first_row) == (number, end, first_row)
        end, first_row = end + place.size, first_row + place.rows
    assert (end, first_row) == (len(data), len(numbers))
    assert content.fingerprint == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    types = {"text": STRING, "number": INTEGER}
    wanted = [(f'two\n"{n % 7}"', n) for n in numbers]
    assert _rows(path, types) == wanted
    assert _rows(_write(tmp_path, gzip.compress(data, mtime=0), "log.json.gz"), types) == wanted
    assert _rows(_write(tmp_path, data, "log-without-suffix"), types) == wanted
    assert _rows(_write(tmp_path, gzip.compress(data, mtime=0), "log"), types) == wanted


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ("1 -2 null", INTEGER),
        ("9007199254740993", INTEGER),
        ("1 18446744073709551615", pa.uint64()),
        ("-1 18446744073709551615", INTEGER),
        ("1 0.5", FLOAT),
        ("1e3", FLOAT),
        ("NaN", FLOAT),
        ("true 5", INTEGER),
        ("true null", pa.bool_()),
        ('"2026-05-01"', STRING),
        ('"00123" "1"', STRING),
        ('"a" 1', STRING),
        ("null", pa.null()),
        ("[1] [] [null]", pa.list_(INTEGER)),
        ("[1] [0.5]", FLOATS),
        ("[] null", pa.list_(pa.null())),
        ('{"x":[1]} {"y":{}}', pa.struct([("x", pa.list_(INTEGER)), ("y", pa.struct([]))])),
    ],
)
def test_inferred_types(tmp_path: Path, values: str, kind: pa.DataType) -> None:
    lines = [f'{{"value": {value}}}' for value in values.split(" ")]
    content = formats.inspect(_write(tmp_path, "\n".join([*lines, "{}"])), DEFAULT)
    assert content.schema == pa.schema([("value", kind)])


def test_a_column_of_no_type_is_left_to_who_reads_it(tmp_path: Path) -> None:
    path = _write(tmp_path, '{"a": 1, "b": [1]}\n{"a": 2, "b": 3}\n{"a": 3, "b": {"x": 1}}')
    assert pa.types.is_union(formats.inspect(path, DEFAULT).schema.field("b").type)
    assert _rows(path, {"a": INTEGER}) == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    ("data", "types", "rows"),
    [
        ('\ufeff{"a":1}\r\n\n{"a":2}', {"a": INTEGER}, [(1,), (2,)]),
        ("{}\n{}\n", {"a": INTEGER}, [(None,), (None,)]),
        ('{"a":18446744073709551615}\n{"a":7}', {"a": INTEGER}, [(-1,), (7,)]),
        ('{"a":18446744073709551615}\n{"a":-7}', {"a": INTEGER}, [(-1,), (-7,)]),
        ('{"a":9007199254740993}', {"a": INTEGER}, [(9007199254740993,)]),
        ('{"a":true}\n{"a":5}', {"a": INTEGER}, [(1,), (5,)]),
        ('{"a":true}\n{"a":0.5}', {"a": FLOAT}, [(1.0,), (0.5,)]),
        ('{"a":"2026-05-01 10:00:00"}', {"a": STRING}, [("2026-05-01 10:00:00",)]),
        ('{"a":[1,0.5]}\n{"a":[2,3]}', {"a": pa.list_(pa.float32(), 2)}, [([1, 0.5],), ([2, 3],)]),
        ('{"a":1,"b":{"x":1}}\n{"a":2,"b":7}', {"a": INTEGER}, [(1,), (2,)]),
        ('{"a":1,"b":3,"b":4}', {"a": INTEGER}, [(1,)]),
        (b'{"a":1,"b":"\xff"}', {"a": INTEGER}, [(1,)]),
        ('{"a":1}', {}, [()]),
    ],
)
def test_values(
    tmp_path: Path, data: str | bytes, types: dict[str, pa.DataType], rows: list[tuple[Any, ...]]
) -> None:
    assert _rows(_write(tmp_path, data), types) == rows


def test_zero_keeps_its_sign(tmp_path: Path) -> None:
    ((value,),) = _rows(_write(tmp_path, '{"a":-0.0}'), {"a": FLOAT})
    assert math.copysign(1, value) == -1


def test_timestamps_have_zones(tmp_path: Path) -> None:
    lines = [
        '{"t":"2026-05-01 12:00:00"}',
        '{"t":"2026-05-01T12:00:00Z"}',
        '{"t":"2026-05-01T14:00:00.000+02:00"}',
    ]
    path = _write(tmp_path, "\n".join(lines))
    assert len(set(_rows(path, {"t": MICROSECONDS}))) == 1


def test_numbers_are_texts_where_the_user_says_so(tmp_path: Path) -> None:
    path = _write(tmp_path, '{"A":1,"b":[1,"x"]}\n{"A":-7.50}\n{"A":"x"}\n{"A":true}')
    options = TableOptions(columns=("user_id=A",), text_columns=("user_id", "b"))
    types = {"A": STRING, "b": pa.list_(STRING)}
    wanted = [("1", ["1", "x"]), ("-7.50", None), ("x", None), ("true", None)]
    assert _rows(path, types, options) == wanted


@pytest.mark.parametrize(
    ("bad", "kind", "message"),
    [
        ('"x"', INTEGER, "'x' is not int64"),
        ("1.0", INTEGER, "'1.0' is not int64"),
        ("1e3", INTEGER, "'1e3' is not int64"),
        ("98446744073709551615", INTEGER, "'98446744073709551615' is not int64"),
        ('"5"', FLOAT, "'5' is not double"),
        ("5", STRING, "5 is a number, expected a text, or --text_column"),
        (b'"\xff"', STRING, r"'\\\\xff' is not UTF-8"),
        ("5", pa.bool_(), "5 is not bool"),
        ('"1 May"', MICROSECONDS, r"'1 May' is not timestamp"),
        ("5", pa.null(), "5 is not null"),
        ("{}", INTEGER, "an object is not int64"),
        ('[1, "x"]', pa.list_(INTEGER), "'x' is not int64"),
        ("5", pa.list_(INTEGER), "5 is not list"),
        ('1, "c": 2', INTEGER, "is there twice"),
    ],
)
def test_a_value_of_another_type_is_named(
    tmp_path: Path, small_places: None, bad: str | bytes, kind: pa.DataType, message: str
) -> None:
    bad = bad.encode() if isinstance(bad, str) else bad
    data = b'{"a":1}\n\n' * 100 + b'{"c":' + bad + b"}\n" + b'{"a":1}\n' * 100
    for name, written in (("log.json", data), ("log.json.gz", gzip.compress(data, mtime=0))):
        with pytest.raises(pa.ArrowInvalid, match=f"line 201, column 'c': {message}"):
            _rows(_write(tmp_path, written, name), {"c": kind})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('[{"a": 1}]', "it is one document, a list"),
        ('{\n"a": 1\n}\n', "line 1 is not one object"),
        ('{"a": 1}\n"a"\n', "line 2 is not one object: it is no object"),
        ('{"a": 1}\n\n{"a": 1}{"a": 2}\n', "line 3 is not one object: Extra data"),
        ('{"a": 1}\n{"a": 1', "line 2 is not one object"),
        (gzip.compress(b'{"a": 1}\n' * 1000, mtime=0)[:-9], "Truncated compressed stream"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, data: str | bytes, message: str) -> None:
    with pytest.raises(UserInputError, match=rf"(?s)log\.jsonl.*{message}.*one object a line"):
        formats.inspect(_write(tmp_path, data), DEFAULT)


@pytest.mark.parametrize("line", ["{'a':1}", '{"a":1}{"a":2}', '{"a":1} 5', "[1]"])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, small_places: None, line: str) -> None:
    path = _write(tmp_path, '{"a":1}\n' * 100 + line + "\n" + '{"a":1}\n' * 100)
    with pytest.raises(pa.ArrowInvalid, match="line 101 is not one object"):
        _rows(path, {"a": INTEGER})


def test_files_without_rows(tmp_path: Path) -> None:
    for data in (b"", b"\n \n", gzip.compress(b"", mtime=0)):
        content = formats.inspect(_write(tmp_path, data), DEFAULT)
        assert content.schema == pa.schema([]) and content.places == ()


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, '{"a":1}\n{"a":2}\n')
    content = formats.inspect(path, DEFAULT)
    _write(tmp_path, '{"a":1000000000}\n')
    with pytest.raises(pa.ArrowInvalid, match="1 rows from byte 0, 2 when opened"):
        list(formats.read(path, "json", content.places[0], ["a"], {"a": INTEGER}, DEFAULT))
