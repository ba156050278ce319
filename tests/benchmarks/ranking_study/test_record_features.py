"""Columns of LightGBM against values computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.ranking_study import record_features
from features.records import example
from features.records.requests import RankingRequest
from features.schema import ExampleSchema, Modality, SideFeature

SCHEMA = ExampleSchema(
    labels=("click",),
    modalities=(Modality("text", 2), Modality("image", 2)),
    history_length=4,
    behavior_types=3,
    item_features=(
        SideFeature("genres", "categorical", 2),
        SideFeature("year", "categorical"),
        SideFeature("running_statistics", "running", 2, ("click",)),
    ),
    context_features=(
        SideFeature("age", "numeric"),
        SideFeature("running_statistics", "running", 4, ("click",)),
    ),
)
PRIORS = {"click": 0.5}
SIDE_VALUES = {"candidate_genres": np.array([7, 9])}

# Codes of the cosines 1, 0, -1 and none.
ONE, ZERO, MINUS, NONE = 255, 128, 1, 0


def request(items, types, gaps, text, image, candidates=(5, 8)):
    c = len(candidates)
    return RankingRequest(
        user_id=1,
        request_id=2,
        timestamp=3,
        history_item_id=np.array(items, np.int64),
        history_time_gap=np.array(gaps, np.int64),
        history_type=np.array(types, np.int64),
        candidate_item_id=np.array(candidates, np.int64),
        labels={"click": np.zeros(c, np.float32)},
        features={
            "history_residual": np.array([255, 1, 128, 0, 64, 192, 32][: len(items)], np.int64),
            "similarity_text": np.array(text, np.uint8),
            "similarity_image": np.array(image, np.uint8),
            "candidate_embedding_text": np.zeros((c, 2), np.int8),
            "candidate_embedding_image": np.zeros((c, 2), np.int8),
            "candidate_genres": np.array([[7, 0]] + [[9, 7]] * (c - 1)),
            "candidate_year": np.full((c, 1), 1999),
            "candidate_running_statistics": np.array([[0, 0]] + [[20, 15]] * (c - 1), np.float32),
            "context_age": np.array([30], np.float32),
            "context_running_statistics": np.array([10, 4, 5, -2], np.float32),
        },
    )


FULL = request(
    items=[8, 6, 8],
    types=[0, 2, 1],
    gaps=[1000, 100, 10],
    text=[[ONE, ZERO, NONE], [ZERO, ZERO, MINUS]],
    image=[[NONE, NONE, NONE], [ZERO, ONE, ZERO]],
)
EMPTY = request([], [], [], np.zeros((2, 0)), np.zeros((2, 0)))


def columns(*requests):
    serialized = tf.constant([example.encode_request(SCHEMA, one) for one in requests])
    batch = {k: v.numpy() for k, v in example.parse_examples(SCHEMA, serialized).items()}
    return record_features.features(SCHEMA, PRIORS, SIDE_VALUES)(batch)


def row(name, *requests):
    return columns(*(requests or (FULL,)))[name][0].tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("history_length", [3, 3]),
        ("latest_gap", np.log1p([10, 10])),
        ("oldest_gap", np.log1p([1000, 1000])),
        ("same_item", [0, 2]),
        ("share_type_1", [1 / 3, 1 / 3]),
        ("type_mean_last_10", [1, 1]),
        ("text_known", [2, 3]),
        ("text_mean", [0.5, -1 / 3]),
        ("text_spread", [0.5, np.sqrt(2) / 3]),
        ("text_best_1_similarity", [1, 0]),
        ("text_best_3_similarity", [0.5, -1 / 3]),
        ("text_best_1_type", [0, 0]),
        ("text_best_3_type", [1, 1]),
        ("text_best_gap", np.log1p([1000, 1000])),
        ("text_above_0.5", [1, 0]),
        ("text_largest_type_0", [1, 0]),
        ("text_largest_type_1", [np.nan, -1]),
        ("text_largest_type_2", [0, 0]),
        # Of two equally similar behaviors of types 0 and 2, one that is much less counts nothing.
        ("text_kernel_0.03_type_2", [0, 0.5]),
        ("text_kernel_0.1_type", [2 * np.exp(-10) / (1 + np.exp(-10)), 1]),
        ("text_kernel_0.1_mass", [1 + np.exp(-10), 2 + np.exp(-10)]),
        # Residuals are 1, -1 and 0.
        ("residual_mean_last_10", [0, 0]),
        ("text_kernel_0.1_residual", [(1 - np.exp(-10)) / (1 + np.exp(-10)), 0]),
        ("image_known", [0, 3]),
        ("image_mean", [np.nan, 1 / 3]),
        ("image_best_1_type", [np.nan, 2]),
        ("image_kernel_0.1_type", [np.nan, (2 + np.exp(-10)) / (1 + 2 * np.exp(-10))]),
        # The sums of both cosines are 1, 0 and 0 of the first, 0, 1 and -1 of the second.
        ("all_kernel_0.1_type_2", [np.exp(-10) / (1 + np.exp(-10)), 1 / (1 + np.exp(-10))]),
        ("candidate_genres_7", [1, 1]),
        ("candidate_genres_9", [0, 1]),
        ("candidate_year", [1999, 1999]),
        ("candidate_count", [0, 20]),
        ("candidate_sum_click", [0, 15]),
        ("candidate_smoothed_click", [0.5, 25 / 40]),
        ("context_age_0", [30, 30]),
        ("context_smoothed_click", [14 / 30, 14 / 30]),
        ("context_mean_residual_click", [-0.2, -0.2]),
    ],
)
def test_a_small_record(name, expected):
    np.testing.assert_allclose(row(name), expected, atol=1e-5)


def test_padding_changes_nothing():
    alone, padded = columns(EMPTY), columns(EMPTY, FULL)
    assert list(alone) == list(padded)
    for name, values in alone.items():
        np.testing.assert_array_equal(values[0], padded[name][0], err_msg=name)
    longer = request([8, 6, 8, 1], [0] * 4, [9] * 4, [[ONE] * 4] * 3, [[ONE] * 4] * 3, (5, 8, 1))
    for name, values in columns(FULL).items():
        np.testing.assert_array_equal(values[0], columns(FULL, longer)[name][0, :2], err_msg=name)


def test_an_empty_history_is_missing_not_zero():
    for name in ("latest_gap", "text_mean", "text_best_1_type", "all_kernel_0.1_type"):
        assert np.isnan(row(name, EMPTY)).all(), name
    assert row("text_known", EMPTY) == [0, 0]


def test_the_most_frequent_values_get_columns():
    found = record_features.frequent_values(
        {"candidate_genres": np.array([[3, 0], [3, 5], [0, 0]])}
    )
    assert found["candidate_genres"].tolist() == [3, 5]
    many = record_features.frequent_values({"x": np.repeat(np.arange(1, 101), np.arange(1, 101))})
    assert many["x"].tolist() == list(range(37, 101))
