"""Every type of Arrow is read as one type, with its values, or as none."""

import datetime
import decimal
import uuid

import numpy as np
import pyarrow as pa
import pytest

from features.tables import kinds

D, U = decimal.Decimal, uuid.UUID(int=7)
DAY = datetime.datetime(2026, 5, 1)

CASES = [
    (pa.array([1, None, -3], kind), pa.int64(), [1, None, -3])
    for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())
]
CASES += [
    (pa.array([1, None, 3], kind), pa.int64(), [1, None, 3])
    for kind in (pa.uint8(), pa.uint16(), pa.uint32())
]
CASES += [
    (pa.array(["a", None, "", "é"], kind), pa.string(), ["a", None, "", "é"])
    for kind in (pa.string(), pa.large_string(), pa.string_view())
]
CASES += [
    (pa.array([b"a", None, b"\xff"], kind), pa.binary(), [b"a", None, b"\xff"])
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view())
]
CASES += [
    (pa.array([DAY, None], kind), pa.timestamp("us"), [DAY, None])
    for kind in (
        *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")),
        *(pa.timestamp("ms", zone) for zone in ("UTC", "+02:00", "Mars/Olympus")),
        pa.date32(),
        pa.date64(),
    )
]
CASES += [
    (pa.array([[1, 2], None, []], kind), pa.list_(pa.int64()), [[1, 2], None, []])
    for kind in (
        *(pa.list_(pa.int8()), pa.large_list(pa.uint32()), pa.list_view(pa.int64())),
        pa.large_list_view(pa.int16()),
    )
]
CASES += [
    (pa.array([2**64 - 1, None, 5], pa.uint64()), pa.int64(), [-1, None, 5]),
    (pa.array([True, None]), pa.bool_(), [True, None]),
    (pa.array([np.float16(1.5), None], pa.float16()), pa.float32(), [1.5, None]),
    (pa.array([1.5, None], pa.float32()), pa.float32(), [1.5, None]),
    (pa.array([D("12"), None], pa.decimal128(38, 0)), pa.int64(), [12, None]),
    (pa.array([D("1.25"), None], pa.decimal256(50, 2)), pa.float64(), [1.25, None]),
    (pa.array(["a", None, "a"]).dictionary_encode(), pa.string(), ["a", None, "a"]),
    (pa.array([1, None, 1], pa.int32()).dictionary_encode(), pa.int64(), [1, None, 1]),
    (pa.array([b"ab", None], pa.binary(2)), pa.binary(), [b"ab", None]),
    (pa.array([U.bytes, None], pa.uuid()), pa.string(), [str(U), None]),
    (pa.array([[1.5], None], pa.list_(pa.float16(), 1)), pa.list_(pa.float32()), [[1.5], None]),
    (pa.array([["a"], [None]], pa.list_(pa.large_string())), pa.list_(pa.string()), None),
    (pa.nulls(2), pa.null(), [None, None]),
    (pa.RunEndEncodedArray.from_arrays([2], ["a"]), pa.string(), ["a", "a"]),
]


@pytest.mark.parametrize(("column", "kind", "values"), CASES, ids=lambda one: str(one)[:30])
def test_a_type_is_read_as_one_type_with_its_values(column, kind, values):
    assert kinds.canonical(column.type) == kind
    found = kinds.converted(column, kind)
    assert found.type == kind
    assert found.to_pylist() == (column.to_pylist() if values is None else values)
    found.validate(full=True)
    # A slice is not its whole.
    assert kinds.converted(column.slice(1), kind).to_pylist() == found.to_pylist()[1:]
    assert len(kinds.converted(column.slice(0, 0), kind)) == 0


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.struct([("a", pa.int64())]), pa.map_(pa.string(), pa.int64()), pa.time64("us")),
        *(pa.duration("s"), pa.list_(pa.list_(pa.int64())), pa.list_(pa.struct([]))),
        pa.month_day_nano_interval(),
    ],
    ids=str,
)
def test_what_holds_no_single_values_is_read_as_none(kind):
    assert kinds.canonical(kind) is None
    checks = (kinds.is_id, kinds.is_text, kinds.is_number, kinds.is_time, kinds.is_list)
    assert not any(check(kind) for check in checks)


@pytest.mark.parametrize(
    ("found", "one"),
    [
        ([pa.int64(), pa.null()], pa.int64()),
        ([pa.null(), pa.null()], pa.null()),
        ([pa.bool_(), pa.int64()], pa.int64()),
        ([pa.float32(), pa.int64()], pa.float64()),
        ([pa.float32(), pa.bool_()], pa.float64()),
        ([pa.string(), pa.binary()], pa.binary()),
        ([pa.list_(pa.int64()), pa.list_(pa.null())], pa.list_(pa.int64())),
        ([pa.string(), pa.int64()], None),
        ([pa.timestamp("us"), pa.int64()], None),
        ([pa.list_(pa.int64()), pa.int64()], None),
    ],
    ids=str,
)
def test_one_type_holds_the_values_of_all_files(found, one):
    assert kinds.unified(found) == one
    assert kinds.unified(reversed(found)) == one


def test_texts_of_csv_are_read_as_text_where_another_file_has_text():
    assert kinds.unified([pa.string(), pa.int64()], from_text=True) == pa.string()
    assert kinds.unified([pa.timestamp("us"), pa.int64()], from_text=True) is None


def test_uint64_keeps_its_bits_so_that_no_two_ids_become_one():
    ids = np.array([0, 1, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    found = kinds.converted(pa.array(ids), pa.int64()).to_numpy()
    np.testing.assert_array_equal(found.view(np.uint64), ids)


def test_a_decimal_beyond_int64_is_an_error_and_no_other_number():
    with pytest.raises(pa.ArrowInvalid, match="out of bounds"):
        kinds.converted(pa.array([D(2**63)], pa.decimal128(38, 0)), pa.int64())


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.timestamp("ms", "UTC"), pa.date64()])
def test_times_beyond_microseconds_stay_far_away(kind):
    far = pa.array([2**61, None, -(2**61)], pa.int64()).cast(kind)
    later, missing, earlier = kinds.converted(far, kinds.TIMESTAMP).cast(pa.int64()).to_pylist()
    assert later > 4e18 and earlier < -4e18
    assert missing is None
