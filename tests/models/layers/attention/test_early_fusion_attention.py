"""Early fusion = decoupled attention with `T_K = S W_K'`: its accuracy twin."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers.attention.decoupled_attention import DecoupledTargetAttention
from models.layers.attention.early_fusion_attention import EarlyFusionAttention
from tests.models.layers.reference_attention import random_case, randomize, variables_by_name

EDGES = {"text": (-0.5, 0.0, 0.25), "image": (0.1,)}
WIDTH, SIDE, HEADS, HEAD_WIDTH, TYPES = 5, 3, 2, 4, 3


def twins(edges):
    """Early fusion with random weights, and decoupled attention with the weights that follow."""
    early = EarlyFusionAttention(edges, HEADS, HEAD_WIDTH, TYPES, SIDE)
    early.build(tf.TensorShape([None, None, WIDTH]))
    case = random_case((1, 1, 1), WIDTH, edges, TYPES, 0)
    case.call(early)  # Creates the projections.
    randomize(early, 1)
    decoupled = DecoupledTargetAttention(edges, HEADS, HEAD_WIDTH, TYPES)
    decoupled.build(tf.TensorShape([None, None, WIDTH]))
    weights = variables_by_name(decoupled)

    def per_head(matrix):
        return tf.reshape(matrix, [*matrix.shape[:-1], HEADS, HEAD_WIDTH])

    weights["query_kernel"].assign(per_head(early._query.kernel))
    weights["query_bias"].assign(per_head(early._query.bias))
    tables = {"gap": early._gaps, "type": early._types}
    tables |= {f"bucket_{name}": table for name, table in early._buckets.items()}
    for kind, projection in (("key", early._key), ("value", early._value)):
        own, *parts = tf.split(projection.kernel, [WIDTH] + [SIDE] * len(tables))
        weights[f"{kind}_kernel"].assign(per_head(own))
        for (name, table), part in zip(tables.items(), parts, strict=True):
            prefix, _, modality = name.partition("_")
            target = f"{prefix}_{kind}s" + (f"_{modality}" if modality else "")
            weights[target].assign(per_head(table @ part))
    return early, decoupled


@pytest.mark.parametrize("modalities", [0, 1, 2])
@pytest.mark.parametrize("shape", [(3, 4, 6), (1, 1, 5), (2, 3, 0), (4, 3, 11)])
def test_early_fusion_equals_decoupled_attention_with_the_tables_that_follow(shape, modalities):
    edges = dict(list(EDGES.items())[:modalities])
    early, decoupled = twins(edges)
    case = random_case(shape, WIDTH, edges, TYPES, 2)
    expected = case.call(early).numpy()
    np.testing.assert_allclose(case.call(decoupled), expected, atol=1e-5)
    if shape[2]:
        assert np.abs(expected).max() > 0.1
    if shape[0] > 2:
        assert (expected[1] == 0).all()  # an empty history


def test_bucket_variables_are_the_buckets_tables():
    early, _ = twins(EDGES)
    assert [variable.shape.as_list() for variable in early.bucket_variables()] == [
        [5, SIDE],
        [3, SIDE],
    ]
