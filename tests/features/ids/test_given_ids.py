"""Ids that a program gives become the join's own, or are refused; nothing is cast silently."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.ids import hashing
from features.ids.given_ids import int64_ids

UNSIGNED = [0, 7, 2**63 - 1, 2**63, 2**64 - 1]
SAME_BITS = [0, 7, 2**63 - 1, -(2**63), -1]


@pytest.mark.parametrize("kind", ["integer", "fingerprint", None])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UNSIGNED, SAME_BITS),
        (np.array(UNSIGNED, np.uint64), SAME_BITS),
        (np.array(UNSIGNED, object), SAME_BITS),
        ([2**64 - 1, -3], [-1, -3]),  # NumPy makes floats of these two.
        ([np.uint64(2**64 - 1), np.int8(-3)], [-1, -3]),
        ([3.0, 4], [3, 4]),
        ([], []),
        (np.array([[1, 2]], np.int32), [[1, 2]]),
        (pd.Series([5, 6], dtype="Int64"), [5, 6]),
    ],
)
def test_integers_are_int64_of_the_same_bits(value, expected, kind):
    received = int64_ids("item_id", value, kind)
    assert received.dtype == np.int64
    assert received.tolist() == expected
    if isinstance(value, np.ndarray) and value.dtype == np.uint64:
        assert received.tolist() == hashing.ids_of_column(pa.array(value)).tolist()


@pytest.mark.parametrize(
    "value",
    [
        ["7"],
        [b"7"],
        np.array(["7"], object),
        [7, "8"],
        [1.5],
        [float("nan"), 1],
        [2.0**60],
        [None, 1],
        [True],
        [2**64],
        [-(2**63) - 1],
        pd.Series([5, None], dtype="Int64"),
        pd.Series(["5"]),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("integer", "The model's ids are integers"),
        ("fingerprint", "Give what features.ids.hashing.fingerprint_strings returns"),
        (None, "String ids go through features.ids.hashing.fingerprint_strings"),
    ],
)
def test_what_is_no_integer_is_refused_with_what_the_model_has(value, kind, advice):
    with pytest.raises(ValueError, match=f"^item_id: expected integers, received .*{advice}"):
        int64_ids("item_id", value, kind)


@pytest.mark.parametrize("dtype", [None, object])
@pytest.mark.parametrize("words", [["a", "käyttäjä", "7"], [b"a", b"7"], [["a", "b"]]])
def test_strings_are_hashed_as_in_the_join(words, dtype):
    received = int64_ids("item_id", words if dtype is None else np.array(words, dtype), "string")
    column = pa.array(np.array(words, object).ravel()).cast(pa.string())
    assert received.ravel().tolist() == hashing.ids_of_column(column).tolist()
    assert received.shape == np.shape(words)
    assert int64_ids("item_id", [], "string").tolist() == []


@pytest.mark.parametrize("value", [[7], ["a", 7], [1.0], ["a", None], [""], np.array([7])], ids=str)
def test_what_is_no_string_is_refused_where_ids_are_strings(value):
    message = "^item_id: expected string ids, received .*item_kind=.fingerprint."
    with pytest.raises(ValueError, match=message):
        int64_ids("item_id", value, "string")
