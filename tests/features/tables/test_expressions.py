"""Small expressions against Python's own evaluation of the same text."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import UserInputError
from features.tables import expressions

COLUMNS = {
    "rating": pa.array([0.5, 3.3, 4.0, 5.0], pa.float32()),
    "click": pa.array([0, 1, 1, 0], pa.int64()),
    "source": pa.array(["web", "app", "web", "push"]),
    "seen": pa.array([True, False, True, False]),
}
COMPARISONS = st.sampled_from(
    [
        "rating >= 4",
        "rating == 4.0",
        "3.5 < rating <= 4",
        "click == 1",
        "click != 1",
        "click > -1",
        "click < 0.5",
        "source == 'web'",
        'source in ("web", "app")',
        "source not in ['web']",
        "click in (1, 2)",
        "seen",
        "seen == 1",
        "seen == True",
        "rating > click",
    ]
)
EXPRESSIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.tuples(inner, inner).map(lambda pair: "({}) and ({})".format(*pair)),
        st.tuples(inner, inner, inner).map(lambda three: "({}) or {} or ({})".format(*three)),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS)
def test_equals_python(text):
    rows = [
        dict(zip(COLUMNS, row, strict=True))
        for row in zip(*(c.to_pylist() for c in COLUMNS.values()), strict=True)
    ]
    expected = [bool(eval(text, {}, row)) for row in rows]  # noqa: S307  The oracle.
    np.testing.assert_array_equal(expressions.parse(text).evaluate(COLUMNS), expected)


def test_float32_column_equals_its_literal():
    assert expressions.parse("rating == 3.3").evaluate(COLUMNS).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "rating.real >= 4",
        "rating + 1 > 4",
        "-rating > 4",
        "rating > -(click)",
        "rating > -(1 + 1)",
        "[r for r in rating]",
        "(lambda: 1)()",
        "rating if click else 0",
        "f'{rating}'",
        "rating[0] > 1",
        "rating is None",
        "rating := 4",
        "rating >=",
        "",
        "1 == 1",
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(UserInputError, match="Expression"):
        expressions.parse(text).evaluate(COLUMNS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ratign >= 4", r"reads column 'ratign'; the table has \['click', 'rating'"),
        ("source >= 4", "'source', a string column, with 4, expected a quoted string"),
        ("rating == 'four'", "'rating', a float column, with 'four', expected a number"),
        ("rating == source", "'rating', a float column, with a string column"),
        ("rating", "true or false"),
        ("rating and click", "'rating' is not true or false"),
        ("rating in 4", "`in` takes a column and a list"),
        ("rating in ()", "empty list"),
        ("click == 99999999999999999999", "does not fit"),
    ],
)
def test_errors_name_column_and_types(text, message):
    with pytest.raises(UserInputError, match=message):
        expressions.parse(text).evaluate(COLUMNS)


def test_assignment():
    name, expression = expressions.parse_assignment("liked = rating >= 4")
    assert (name, expression.columns) == ("liked", ("rating",))
    for text in ("rating == 4", "= rating >= 4", "2x = rating >= 4"):
        with pytest.raises(UserInputError):
            expressions.parse_assignment(text)
