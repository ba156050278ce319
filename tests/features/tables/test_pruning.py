"""A filter rules out just the files of which no row can pass it."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UserInputError
from features.tables.expressions import parse
from features.tables.listing import FoundFile, Listing, describe
from features.tables.pruning import matching

DAYS = ["2026-05-01", "2026-05-02", None]
HOURS = ["05", "9", "23"]

SECOND = [("2026-05-02", "9"), ("2026-05-02", "23")]


def listing(*keys):
    return Listing(tuple(FoundFile(f"log/{n}", f"{n}", one) for n, one in enumerate(keys)))


GRID = listing(*((("date", day), ("hour", hour)) for day in DAYS for hour in HOURS))


def kept(text, found=GRID):
    """Returns the values of the keys of the files that a filter leaves."""
    files = matching(found, parse(text), "events").files
    return [tuple(value for _, value in file.keys) for file in files]


def where(accepts):
    return [one for one in itertools.product(DAYS, HOURS) if accepts(*one)]


@pytest.mark.parametrize(
    ("text", "accepts"),
    [
        ("date >= '2026-05-02'", lambda day, hour: day == "2026-05-02"),
        ("'2026-05-02' > date", lambda day, hour: day == "2026-05-01"),
        ("date != '2026-05-02'", lambda day, hour: day == "2026-05-01"),
        ("not date == '2026-05-02'", lambda day, hour: day == "2026-05-01"),
        ("date in ('2026-05-02', '')", lambda day, hour: day == "2026-05-02"),
        ("date not in ['2026-05-02']", lambda day, hour: day == "2026-05-01"),
        ("hour >= 9", lambda day, hour: hour != "05"),
        ("5.5 < hour <= 9", lambda day, hour: hour == "9"),
        ("hour in (5, 23)", lambda day, hour: hour != "9"),
        ("hour >= '9'", lambda day, hour: hour == "9"),
        ("date < hour", lambda day, hour: day and day < hour),
        ("hour == 5 and date == '2026-05-01'", lambda day, hour: (day, hour) == (DAYS[0], "05")),
        ("hour == 5 or date == '2026-05-01'", lambda day, hour: hour == "05" or day == DAYS[0]),
        (
            "not (hour == 5 or date == '2026-05-01')",
            lambda day, hour: hour != "05" and day == DAYS[1],
        ),
        ("clicks > 3 and hour == 5", lambda day, hour: hour == "05"),
        ("clicks > 3 or hour == 5", lambda day, hour: True),
        ("not (clicks > 3 and hour == 5)", lambda day, hour: True),
        ("not (clicks > 3 or hour == 5)", lambda day, hour: hour != "05"),
        ("1 < hour == clicks", lambda day, hour: True),
        ("is_bot", lambda day, hour: True),
    ],
)
def test_files_that_may_hold_matching_rows_are_kept(text, accepts):
    assert kept(text) == where(accepts)


def test_a_file_without_the_key_is_kept():
    found = listing((), (("date", "1"),), (("date", "2"),))
    assert kept("date == '1'", found) == [(), ("1",)]


def test_a_key_is_called_as_a_column_would_be_unless_a_column_is():
    found = listing((("eventDate", "1"),), (("eventDate", "2"),))
    for name in ("event_date", "eventDate"):
        assert kept(f"{name} == '1'", found) == [("1",)]
    by_column = matching(found, parse("event_date == '1'"), "events", columns=["event_date"])
    assert by_column == found


def test_truth_values():
    found = listing((("test", "true"),), (("test", "False"),), (("test", "0"),))
    assert kept("test == False", found) == [("False",), ("0",)]


def test_pruned_files_are_counted():
    found = matching(matching(GRID, parse("hour > 5"), "events"), parse("hour > 9"), "events")
    assert (len(found.files), found.pruned) == (3, 6)
    assert describe(found, "events") == (
        "--events: 3 files (date=2026-05-01/hour=23 .. date=null/hour=23); 6 ruled out by --filter"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date > '2027'", r"rules out all 9 files \(date=2026-05-01/hour=05 \.\. "),
        ("date >= 20260501", r"compares date with the number 20260501.*is date=2026-05-01.*'20260"),
        ("3 in date and date in (2, 3)", "compares date with the number 2,"),
    ],
)
def test_filters_that_cannot_be_meant(text, message):
    with pytest.raises(UserInputError, match=f"^--events: --filter .*{message}"):
        kept(text)


@given(
    st.recursive(
        st.sampled_from(["a", "b"]).flatmap(
            lambda name: st.sampled_from(["==", "<", ">=", "!="]).flatmap(
                lambda sign: st.integers(0, 2).map(lambda n: f"{name} {sign} {n}")
            )
        ),
        lambda inner: st.one_of(
            inner.map(lambda text: f"not ({text})"),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
                lambda three: f"({three[0]}) {three[1]} ({three[2]})"
            ),
        ),
        max_leaves=6,
    ),
    st.integers(0, 2),
)
def test_a_file_is_ruled_out_only_if_no_row_passes(text, a):
    rows = {"a": pa.array([a] * 18), "b": pa.array(range(-9, 9))}
    passes = parse(text).evaluate(rows).any()
    found = listing((("a", str(a)),), ())
    # A part that contradicts itself over other columns is left to the rows.
    assert (str(a),) in kept(text, found) or not passes
