"""A model with running statistics, exported: the gate passes, and callers' sums are read."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from features.records import running_statistics
from serving_signatures.export.saved_model import export_saved_model
from tests import synthetic
from tests.serving_signatures import serving

STATISTICS = ("liked", "rating")
SCHEMA = dataclasses.replace(
    synthetic.SCHEMA,
    item_features=(
        *synthetic.SCHEMA.item_features,
        running_statistics.item_feature(STATISTICS),
    ),
    context_features=(
        *synthetic.SCHEMA.context_features,
        running_statistics.context_feature(STATISTICS),
    ),
)
SCORING = ("serving_default", "score_request", "score_cached")
SUMS = {
    "candidate_running_statistics": (None, None, 3),
    "context_running_statistics": (None, 6),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    model = serving.random_model(schema=SCHEMA)
    sample = draw((50, 4, 3), seed=9)
    batch = {name: tf.constant(values) for name, values in sample.items()}
    model.adapt([batch])
    # Export raises where the parity gate does not pass.
    folder = str(tmp_path_factory.mktemp("export") / "ctr")
    exported = export_saved_model(model, folder, synthetic.embedding_sets(), batch_sizes=(1,))
    return model, exported, tf.saved_model.load(exported.folder)


def draw(shape, seed):
    return serving.requests(shape, synthetic.embedding_sets(), seed - 31 * sum(shape), SCHEMA)


@pytest.mark.parametrize("shape", [(1, 1, 0), (3, 7, 20)], ids=str)
@pytest.mark.parametrize("name", SCORING)
def test_signature_equals_the_model(published, name, shape):
    model, _, loaded = published
    sample = draw(shape, seed=sum(shape))
    received = serving.score(loaded.signatures, name, sample)
    serving.assert_same(received, serving.oracle(model, sample))


def test_the_gate_compared_requests_whose_sums_matter(published):
    _, exported, loaded = published
    assert exported.parity["max_abs_diff"] <= serving.TOLERANCE
    sample = draw((4, 5, 6), seed=1)
    inputs = serving.inputs(sample, True)
    score = loaded.signatures["score_request"]
    first = serving.parity_process.call(score, inputs)["click"]
    for name in SUMS:
        changed = {**inputs, name: np.zeros_like(inputs[name])}
        assert np.abs(serving.parity_process.call(score, changed)["click"] - first).max() > 1e-3


def test_scoring_signatures_take_raw_sums(published):
    _, _, loaded = published
    for signature in SCORING[1:]:
        specs = loaded.signatures[signature].structured_input_signature[1]
        for name, shape in SUMS.items():
            assert specs[name].shape.as_list() == list(shape)
            assert specs[name].dtype == tf.float32


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_sums_that_are_not_finite_are_refused_by_name(published, name, bad):
    _, _, loaded = published
    inputs = serving.inputs(draw((2, 3, 4), seed=2), True)
    inputs[name] = inputs[name].copy()
    inputs[name].flat[0] = bad
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name}: values must be finite"):
        serving.parity_process.call(loaded.signatures["score_request"], inputs)
