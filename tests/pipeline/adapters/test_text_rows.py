"""Rows of text: every broken line alone is quarantined, whatever stands around it."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UserInputError
from pipeline.adapters import text_rows


def read(path, text, columns=("a", "b"), **options):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [
        (row.line, row.problem or row.values)
        for row in text_rows.csv_rows(str(path), columns, **options)
    ]


OPEN_QUOTE = "is not comma-separated: is a quote left open?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", [(2, ["1", "2"])]),
        ("a,b\r\n1,2\r\n\r\n3,4", [(2, ["1", "2"]), (4, ["3", "4"])]),
        ("\ufeffa,b\n1,2\n", [(2, ["1", "2"])]),
        ('"a","b"\n"1","x, ""y"""\n', [(2, ["1", 'x, "y"'])]),
        ('a,b\n1,"two\nlines"\n3,4\n', [(2, ["1", "two\nlines"]), (4, ["3", "4"])]),
        ('a,b\n1,"two\n3,4\n5,6\n', [(2, OPEN_QUOTE), (3, ["3", "4"]), (4, ["5", "6"])]),
        ('a,b\n1,"two\n3,"x"\n', [(2, OPEN_QUOTE), (3, ["3", "x"])]),
        ('a,b\n1,5" screen\n3,4\n', [(2, ["1", '5" screen']), (3, ["3", "4"])]),
        ("a,b\n1\n1,2,3\n", [(2, "has 1 fields, expected 2"), (3, "has 3 fields, expected 2")]),
        (b"a,b\n1,\xff\n3,4\n", [(2, "is not UTF-8: invalid start byte"), (3, ["3", "4"])]),
        ("a,b\n", []),
    ],
)
def test_csv(tmp_path, text, expected):
    assert read(tmp_path / "x.csv", text) == expected


def test_csv_without_header(tmp_path):
    rows = read(tmp_path / "x.csv", "7,8\n9,10\n", headerless=True)
    assert rows == [(1, ["7", "8"]), (2, ["9", "10"])]
    with pytest.raises(UserInputError, match=r"no column 'a'.*first line is '7,8', expected"):
        read(tmp_path / "x.csv", "7,8\n9,10\n")
    with pytest.raises(UserInputError, match=r"no column 'a'.*first line is ''"):
        read(tmp_path / "x.csv", "")


def test_a_lost_quote_costs_one_row_of_many(tmp_path):
    lines = [f"{number},{number}" for number in range(100)]
    lines[40] = '40,"lost'
    lines[60] = '60,"held, ""by"" quotes"'
    rows = read(tmp_path / "x.csv", "a,b\n" + "\n".join(lines))
    assert [line for line, found in rows] == list(range(2, 102))
    assert [line for line, found in rows if isinstance(found, str)] == [42]


def test_gzip_and_plain_are_alike(tmp_path):
    text = "a,b\n1,2\n3,4\n"
    plain = read(tmp_path / "x.csv", text)
    assert read(tmp_path / "x.csv.gz", gzip.compress(text.encode())) == plain


def test_what_is_no_gzip_is_refused(tmp_path):
    with pytest.raises(UserInputError, match=r"x\.csv\.gz' cannot be read.*compressed by gzip"):
        read(tmp_path / "x.csv.gz", "a,b\n")


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_int64_is_read(value):
    assert text_rows.parse_int64(str(value), "x") == text_rows.parse_int64(value, "x") == value


@pytest.mark.parametrize(
    "value", ["", " 1", "1_000", "+1", "1.0", "٣", "0x1", "9" * 400, 2**63, 1.0, True, None, [1]]
)
def test_what_is_no_int64_is_refused(value):
    with pytest.raises(text_rows.BadRowError, match=r"x is .*expected a whole number"):
        text_rows.parse_int64(value, "x")


@given(st.floats(-1e6, 1e6))
def test_every_number_in_the_range_is_read(value):
    assert text_rows.parse_number(repr(value), "x", -1e6, 1e6) == value
    assert text_rows.parse_number(value, "x", -1e6, 1e6) == value


@pytest.mark.parametrize(
    "value", ["", "nan", "inf", "1_0", "--1", "6", "1e3", 6, -0.1, float("nan"), True, None, "1 "]
)
def test_what_is_no_number_in_the_range_is_refused(value):
    with pytest.raises(text_rows.BadRowError, match=r"x is .*expected a number from 0 to 5"):
        text_rows.parse_number(value, "x", 0, 5)
