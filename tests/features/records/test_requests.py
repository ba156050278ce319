"""Padding loses nothing, and what does not fit is named."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from features.records import example
from features.records.decoded_example import decode_request
from features.records.requests import PaddedSizes, RankingRequest, pad, unpad
from tests.features.records.requests import SCHEMA, random_request

SIZES = PaddedSizes(candidates=(2, 5), behaviors=(3, 6))


def request(candidates, behaviors, seed=0, **features):
    rng = np.random.default_rng(seed)
    return RankingRequest(
        rng.integers(1, 100, candidates),
        rng.integers(1, 100, behaviors),
        rng.integers(1, 100, behaviors),
        rng.integers(0, 2, behaviors),
        {
            "candidate_price": rng.random((candidates, 1), np.float32),
            "history_vector_text": rng.random((behaviors, 4), np.float32),
            "context_age": rng.random(1, np.float32),
            **features,
        },
    )


def assert_same(received, expected):
    received, expected = received.values(), expected.values()
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(received[name], value, err_msg=name)


def test_padding_and_back_is_the_same():
    requests = [request(1, 0), request(5, 6, seed=1), request(2, 3, seed=2)]
    padded = pad(requests, SIZES)
    assert padded["candidate_price"].shape == (3, 5, 1)
    assert padded["history_vector_text"].shape == (3, 6, 4)
    assert padded["context_age"].shape == (3, 1)
    assert (padded["candidate_item_id"][~padded["candidate_mask"]] == 0).all()
    for received, expected in zip(unpad(padded), requests, strict=True):
        assert_same(received, expected)


@pytest.mark.parametrize(
    ("candidates", "behaviors", "shape"),
    [(1, 0, (2, 3)), (2, 3, (2, 3)), (3, 4, (5, 6)), (5, 99, (5, 6))],
)
def test_the_smallest_size_that_holds_all_is_taken(candidates, behaviors, shape):
    padded = pad([request(candidates, behaviors), request(1, 1)], SIZES)
    assert (padded["candidate_mask"].shape[1], padded["history_mask"].shape[1]) == shape


def test_of_a_long_history_the_newest_are_kept():
    long = request(1, 9)
    (kept,) = unpad(pad([long], SIZES))
    np.testing.assert_array_equal(kept.history_item_id, long.history_item_id[-6:])
    np.testing.assert_array_equal(
        kept.features["history_vector_text"], long.features["history_vector_text"][-6:]
    )


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([], "at least one request"),
        ([request(6, 1)], "6 candidates, but the largest agreed size is 5"),
        ([request(1, 1), request(1, 1, context_more=np.ones(1))], "Features differ"),
        ([request(1, 1), request(1, 1, context_age=np.ones(2))], "context_age differs in shape"),
        ([request(2, 1, candidate_price=np.ones((3, 1)))], r"candidate_price has shape \[3, 1\]"),
        ([dataclasses.replace(request(1, 2), history_type=[1])], r"history_type has shape \[1\]"),
    ],
)
def test_what_does_not_fit_is_named(requests, message):
    with pytest.raises(ValueError, match=message):
        pad(requests, SIZES)


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (["b7", "c1"], r"'b7' \(str64\)"),
        (["7", "1"], r"'7' \(str32\)"),
        ([1.5, 2], r"1.5 \(float64\)"),
        ([1, np.nan], r"nan \(float64\)"),
        ([2.0**60, 1], r"1.15\d+e\+18 \(float64\)"),
        ([1, None], r"None \(object\)"),
        ([1, 2**64], r"18446744073709551616 \(object\)"),
    ],
)
@pytest.mark.parametrize("name", ["candidate_item_id", "history_item_id", "history_time_gap"])
def test_what_is_no_integer_is_refused_by_the_inputs_name(name, value, received):
    wrong = dataclasses.replace(request(2, 2), **{name: value})
    advice = "Give whole numbers" if name == "history_time_gap" else "fingerprint_strings"
    message = f"^{name}: expected integers, received {received}.*{advice}"
    with pytest.raises(ValueError, match=message):
        pad([wrong], SIZES)


def test_lists_whole_floats_and_empty_lists_are_integers():
    given = dataclasses.replace(request(2, 0), candidate_item_id=[3.0, 4], history_item_id=[])
    (padded,) = unpad(pad([given], SIZES))
    assert padded.candidate_item_id.tolist() == [3, 4] and not len(padded.history_item_id)
    assert padded.candidate_item_id.dtype == padded.history_item_id.dtype == np.int64


@pytest.mark.parametrize("sizes", [(), (0, 3), (3, 2), (3, 3)])
def test_sizes_ascend_from_one(sizes):
    with pytest.raises(ValueError, match="must be ascending sizes from 1"):
        PaddedSizes(candidates=sizes)


def test_values_of_several_dtypes_keep_their_precision():
    padded = pad([request(1, 1, context_age=np.ones(1, np.int64)), request(1, 1)])
    assert padded["context_age"].dtype == np.float64
    assert padded["context_age"][1] == request(1, 1).features["context_age"]


def test_decoded_records_pad_to_what_the_graph_parses():
    random = np.random.default_rng(0)
    written = [random_request(random, SCHEMA, *shape) for shape in [(4, 1), (1, 2), (2, 0)]]
    records = [example.encode_request(SCHEMA, one) for one in written]
    decoded = [decode_request(SCHEMA, record) for record in records]
    for received, expected in zip(decoded, written, strict=True):
        assert_same(received, expected)
    batch = pad(decoded)
    parsed = example.parse_examples(SCHEMA, tf.constant(records))
    assert batch.keys() == parsed.keys()
    for name, expected in parsed.items():
        np.testing.assert_array_equal(batch[name], expected.numpy(), err_msg=name, strict=True)
    for received, expected in zip(unpad(batch, SCHEMA.labels), written, strict=True):
        assert_same(received, expected)
        assert received.labels.keys() == expected.labels.keys()
