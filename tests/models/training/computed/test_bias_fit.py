"""The bias is fitted to the validation split, and nothing else is."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from features.schema import Downsampling
from models import factory
from models.evaluation import metrics, scoring
from models.model_config import ModelConfig
from models.training.computed import bias_fit
from models.training.computed.bias_fit import fit_bias
from tests import synthetic

SAMPLED = dataclasses.replace(synthetic.SCHEMA, downsampling=Downsampling("click", 0.1))


REPEATED = pytest.mark.slow(seconds=6)
TRAIN, BOTH = ("train",), ("train", "validation")


@pytest.mark.parametrize(
    ("downsampled", "weighted"),
    [
        (TRAIN, False),
        (BOTH, True),
        pytest.param(TRAIN, True, marks=REPEATED),
        pytest.param(BOTH, False, marks=REPEATED),
    ],
)
def test_as_much_is_predicted_as_happens_and_the_order_stays(tmp_path, weighted, downsampled):
    schema = dataclasses.replace(SAMPLED, weighted=weighted)
    examples = synthetic.write_example_set(str(tmp_path / "set"), schema, {"validation": 60})
    examples = dataclasses.replace(examples, downsampled=downsampled)
    config = ModelConfig(name="id_only", embedding_width=4, head_width=4, hidden=(8,))
    tf.keras.utils.set_random_seed(0)
    model = factory.build_model(config, schema, synthetic.item_ids())
    model.head.shift(2.5)
    others = [variable.numpy() for variable in model.weights if "logit" not in variable.name]
    before = scoring.score(model, examples, "validation")
    move = fit_bias(model, examples)
    assert abs(move) > 0.1
    after = scoring.score(model, examples, "validation")
    weight = np.ones(len(after.label))
    for factor in (after.stands_for, after.weight):
        weight = weight if factor is None else weight * factor
    assert (after.weight is not None) == weighted
    assert metrics.calibration(after.label, after.probability, weight) == pytest.approx(1, abs=1e-4)
    order = np.argsort(before.probability, kind="stable")
    assert (np.diff(after.probability[order]) >= 0).all()
    kept = [variable.numpy() for variable in model.weights if "logit" not in variable.name]
    for one, other in zip(others, kept, strict=True):
        np.testing.assert_array_equal(one, other)
    assert abs(fit_bias(model, examples)) < 1e-3


@pytest.mark.parametrize("weighted", [pytest.param(False, marks=REPEATED), True])
def test_without_sampling_few_positives_move_it_a_part_of_the_way(tmp_path, monkeypatch, weighted):
    schema = dataclasses.replace(synthetic.SCHEMA, weighted=weighted)
    examples = synthetic.write_example_set(str(tmp_path / "set"), schema, {"validation": 60})
    config = ModelConfig(name="id_only", embedding_width=4, head_width=4, hidden=(8,))
    model = factory.build_model(config, schema, synthetic.item_ids())
    model.head.shift(0.8)
    scored = scoring.score(model, examples, "validation")
    weight = np.ones(len(scored.label)) if scored.weight is None else scored.weight
    positives = (weight @ scored.label) ** 2 / (weight**2 @ scored.label)
    assert 50 < positives < 500
    moves = []
    for trust in (0.0, positives, 1e9):
        monkeypatch.setattr(bias_fit, "_TRUST", trust)
        moves.append(fit_bias(model, examples))
        model.head.shift(-moves[-1])
    assert abs(moves[0]) > 0.1
    assert moves[1] == pytest.approx(moves[0] / 2, rel=1e-3)
    assert abs(moves[2]) < 1e-5
