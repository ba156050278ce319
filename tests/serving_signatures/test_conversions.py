"""A model of two labels: every signature returns both, and its caches age as before."""

import numpy as np
import pytest
import tensorflow as tf

from features.records import example
from serving_signatures.signatures import ServingSignatures
from tests import synthetic
from tests.serving_signatures import serving

SHAPES = ((1, 1, 0), (3, 7, 50), (2, 1, 1))


@pytest.fixture(scope="module")
def model():
    return serving.random_model(conversion_label="conversion")


@pytest.fixture(scope="module")
def signatures(model):
    return ServingSignatures(model, synthetic.embedding_sets())


@pytest.mark.parametrize("name", ["serving_default", "score_request", "score_cached"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_signature_returns_both_labels(model, signatures, shape, name):
    sample = serving.requests(shape, synthetic.embedding_sets())
    batch = example.parse_examples(model.schema, tf.constant(sample["examples"]))
    mask = batch["candidate_mask"].numpy()
    expected = {
        label: np.where(mask, tf.sigmoid(logits).numpy(), 0)
        for label, logits in model.logits_by_label(batch).items()
    }
    received = serving.score(signatures.functions, name, sample)
    serving.assert_same(received, {**expected, "mask": mask})
    assert (received["conversion"] <= received["click"]).all()
    assert (received["conversion"][mask] > 0).all()


def test_a_second_head_changes_no_cache(model, signatures):
    alone = serving.random_model()
    for name in ("item_embedding", "attention", "content_projection", "content_embedding"):
        for one, other in zip(
            getattr(alone, name).trainable_variables,
            getattr(model, name).trainable_variables,
            strict=True,
        ):
            one.assign(other)
    assert serving.traced(alone, synthetic.embedding_sets()).tags == signatures.tags
