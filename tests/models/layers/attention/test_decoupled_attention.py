"""Factorized (shared, absorbed) = materialized = NumPy, in values and gradients."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from models.layers.attention.decoupled_attention import DecoupledTargetAttention
from tests.models.layers.reference_attention import (
    numpy_attention,
    random_case,
    randomize,
    tensorflow_attention,
    variables_by_name,
)

EDGES = {"text": (-0.5, 0.0, 0.25), "image": (0.1,)}
WIDTH, TYPES = 5, 3
# Shape, heads, number of modalities.
CASES = [
    ((3, 4, 6), 2, 2),
    ((2, 3, 5), 3, 1),
    ((4, 2, 7), 2, 0),
    ((1, 1, 9), 1, 2),
    ((3, 1, 4), 2, 2),  # `auto` takes `absorbed`
    ((1, 5, 3), 1, 1),
    ((2, 3, 0), 2, 2),
    ((3, 20, 17), 2, 2),  # 60 candidate rows, 51 behavior rows
]
IDS = [f"{shape}-{heads}heads-{count}modalities" for shape, heads, count in CASES]


def layer_like(layer, form):
    """Another form with the same weights, by way of the configuration."""
    twin = DecoupledTargetAttention.from_config({**layer.get_config(), "form": form})
    twin.build(tf.TensorShape([None, None, WIDTH]))
    twin.set_weights(layer.get_weights())
    return twin


def attention_and_case(shape, heads, modalities, seed=0):
    edges = dict(list(EDGES.items())[:modalities])
    residuals = modalities != 1
    layer = DecoupledTargetAttention(edges, heads, 4, TYPES, residuals, form="shared")
    layer.build(tf.TensorShape([None, None, WIDTH]))
    randomize(layer, seed + 1)
    return layer, random_case(shape, WIDTH, edges, TYPES, seed)


def float64_weights(layer):
    return {k: v.numpy().astype(np.float64) for k, v in variables_by_name(layer).items()}


def gradients(call, layer, case, upstream):
    """Returns the gradients by name of `sum(upstream * output)`: variables, then inputs."""
    candidates, history = tf.constant(case.candidates), tf.constant(case.history)
    variables = variables_by_name(layer)
    with tf.GradientTape() as tape:
        tape.watch((candidates, history))
        loss = tf.reduce_sum(upstream * call(layer, candidates, history))
    sources = {**variables, "candidates": candidates, "history": history}
    found = tape.gradient(loss, sources, unconnected_gradients="zero")
    return {name: tf.convert_to_tensor(value).numpy() for name, value in found.items()}


@pytest.mark.parametrize(("shape", "heads", "modalities"), CASES, ids=IDS)
def test_all_forms_equal_the_materialized_one_and_numpy(shape, heads, modalities):
    layer, case = attention_and_case(shape, heads, modalities)
    edges = layer.get_config()["bucket_edges"]
    expected = numpy_attention(float64_weights(layer), edges, case)
    materialized = tensorflow_attention(
        layer, edges, case, tf.constant(case.candidates), tf.constant(case.history)
    )
    np.testing.assert_allclose(materialized, expected, atol=1e-5)
    for form in ("shared", "absorbed", "auto"):
        received = case.call(layer_like(layer, form))
        np.testing.assert_allclose(received, expected, atol=1e-5, err_msg=form)
    if shape[2]:
        assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize(("shape", "heads", "modalities"), CASES, ids=IDS)
def test_gradients_of_all_forms_equal_the_materialized_one(shape, heads, modalities):
    layer, case = attention_and_case(shape, heads, modalities)
    edges = layer.get_config()["bucket_edges"]
    rng = np.random.default_rng(7)
    upstream = rng.standard_normal((*shape[:2], heads * 4)).astype(np.float32)
    expected = gradients(
        lambda layer, c, h: tensorflow_attention(layer, edges, case, c, h), layer, case, upstream
    )
    assert len(expected) == 2 + 9 + 3 * modalities + 2 * (modalities != 1)
    for form in ("shared", "absorbed"):
        received = gradients(case.call, layer_like(layer, form), case, upstream)
        for name, value in expected.items():
            # A gradient is a sum over all pairs: 1e-5 of its size, and never of less than one.
            tolerance = 1e-5 * max(1, np.abs(value).max(initial=0))
            np.testing.assert_allclose(
                received[name], value, atol=tolerance, rtol=0, err_msg=f"{form} {name}"
            )


def test_gradients_equal_the_slope_of_numpy():
    layer, case = attention_and_case((3, 4, 6), 2, 2)
    edges = layer.get_config()["bucket_edges"]
    rng = np.random.default_rng(3)
    upstream = rng.standard_normal((3, 4, 8))
    received = gradients(case.call, layer, case, upstream.astype(np.float32))
    values = {
        **float64_weights(layer),
        "candidates": case.candidates.astype(np.float64),
        "history": case.history.astype(np.float64),
    }

    def loss(values):
        inputs = {name: values[name] for name in ("candidates", "history")}
        return np.sum(
            upstream * numpy_attention(values, edges, dataclasses.replace(case, **inputs))
        )

    assert received.keys() == values.keys()
    for name, value in values.items():
        direction = rng.standard_normal(value.shape)
        up, down = (loss({**values, name: value + s * 1e-5 * direction}) for s in (1, -1))
        slope = (up - down) / 2e-5
        assert np.sum(received[name] * direction) == pytest.approx(slope, rel=1e-4, abs=1e-5), name
        assert abs(slope) > 1e-3, f"{name} does not matter, so this proves nothing"


@pytest.mark.parametrize("form", ["shared", "absorbed"])
def test_empty_history_gives_exactly_zero_and_finite_gradients(form):
    layer, case = attention_and_case((3, 2, 4), 2, 2)
    layer = layer_like(layer, form)
    assert not case.mask[1].any()
    interest = case.call(layer).numpy()
    assert (interest[1] == 0).all()
    assert (interest[0] != 0).all()
    for name, value in gradients(case.call, layer, case, tf.ones([3, 2, 8])).items():
        assert np.isfinite(value).all(), name
        if name in ("candidates", "history"):
            assert (value[1] == 0).all()


@pytest.mark.parametrize("form", ["shared", "absorbed"])
def test_order_of_behaviors_does_not_matter(form):
    layer, case = attention_and_case((3, 4, 6), 2, 2)
    order = np.random.default_rng(5).permutation(6)
    shuffled = dataclasses.replace(
        case,
        history=case.history[:, order],
        codes={name: codes[..., order] for name, codes in case.codes.items()},
        mask=case.mask[:, order],
        time_gap=case.time_gap[:, order],
        type=case.type[:, order],
        residual=case.residual[:, order],
    )
    layer = layer_like(layer, form)
    np.testing.assert_allclose(shuffled.call(layer), case.call(layer), atol=1e-6)


@pytest.mark.parametrize("form", ["shared", "absorbed"])
def test_masked_behaviors_do_not_matter_whatever_they_hold(form):
    layer, case = attention_and_case((3, 4, 6), 2, 2)
    rng = np.random.default_rng(6)
    longer = dataclasses.replace(
        case,
        history=np.append(case.history, 50 * rng.standard_normal((3, 9, 5)), 1).astype(np.float32),
        codes={
            name: np.append(codes, rng.integers(0, 256, (3, 4, 9)), 2).astype(np.uint8)
            for name, codes in case.codes.items()
        },
        mask=np.append(case.mask, np.zeros((3, 9), bool), 1),
        time_gap=np.append(case.time_gap, rng.integers(-(2**40), 2**40, (3, 9)), 1),
        type=np.append(case.type, rng.integers(0, TYPES, (3, 9)), 1),
        residual=np.append(case.residual, rng.integers(0, 256, (3, 9)), 1),
    )
    layer = layer_like(layer, form)
    np.testing.assert_allclose(longer.call(layer), case.call(layer), atol=1e-6)


def test_auto_takes_absorbed_for_one_candidate_only():
    layer, case = attention_and_case((2, 3, 4), 1, 1)
    one = random_case((2, 1, 4), WIDTH, {"text": ()}, TYPES, 0)
    auto = layer_like(layer, "auto")
    projected = []
    auto.project_history = lambda history: projected.append(1) or layer.project_history(history)
    one.call(auto)
    assert not projected
    case.call(auto)
    assert projected


@pytest.mark.parametrize("width", [5, 8, 32])
def test_projections_are_right_for_any_number_of_rows_after_a_smaller_call(width):
    # An einsum with an ellipsis gave wrong values here from 31 rows on (oneDNN, TF 2.16.2).
    layer = DecoupledTargetAttention({}, heads=2, head_width=4)
    layer.build(tf.TensorShape([None, None, width]))
    randomize(layer, 3)
    w = float64_weights(layer)
    rng = np.random.default_rng(4)

    @tf.function(reduce_retracing=True)
    def project(embedding):
        return (layer.project_query(embedding), *layer.project_history(embedding))

    for rows in (17, 31, 50, 64, 1):
        for leading in ((rows,), (1, rows), (rows, 1)):
            embedding = rng.standard_normal((*leading, width)).astype(np.float32)
            for run in (project, project.python_function):
                query, key, value = run(tf.constant(embedding))
                expected = np.einsum("...e,ehd->...hd", embedding, w["query_kernel"])
                np.testing.assert_allclose(query, expected + w["query_bias"], atol=1e-5)
                expected = np.einsum("...e,ehd->...hd", embedding, w["key_kernel"])
                np.testing.assert_allclose(key, expected, atol=1e-5)
                expected = np.einsum("...e,ehd->...hd", embedding, w["value_kernel"])
                np.testing.assert_allclose(value, expected, atol=1e-5)


@pytest.mark.parametrize("form", ["shared", "absorbed"])
def test_attention_is_right_for_any_number_of_rows_after_a_smaller_call(form):
    edges = {"text": EDGES["text"]}
    layer, _ = attention_and_case((1, 1, 1), 2, 1)
    layer = layer_like(layer, form)
    for shape in ((1, 17, 17), (1, 31, 31), (1, 50, 64), (31, 1, 2), (2, 33, 50)):
        case = random_case(shape, WIDTH, edges, TYPES, sum(shape))
        expected = numpy_attention(float64_weights(layer), edges, case)
        np.testing.assert_allclose(case.call(layer), expected, atol=1e-5, err_msg=str(shape))


def test_initial_values_leave_the_saddle():
    layer = DecoupledTargetAttention({"text": (0.0,)}, heads=8, head_width=64)
    layer.build(tf.TensorShape([None, None, 16]))
    w = variables_by_name(layer)
    assert np.std(w["query_bias"]) == pytest.approx(1, abs=0.1)
    assert np.std(w["bucket_keys_text"]) == pytest.approx(0.05, rel=0.1)
    assert (w["bucket_bias_text"].numpy() == 0).all()
    assert (w["gap_bias"].numpy() == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"heads": 0}, "heads must be at least 1, received 0"),
        ({"head_width": 0}, "head_width must be at least 1"),
        ({"behavior_types": -1}, "behavior_types must be at least 1, received -1"),
        ({"form": "fast"}, "received 'fast'"),
    ],
)
def test_constructor_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        DecoupledTargetAttention({}, **arguments)


def test_constructor_refuses_edges_that_do_not_ascend():
    with pytest.raises(ValueError, match="strictly ascending"):
        DecoupledTargetAttention({"text": (0.5, 0.0)})
