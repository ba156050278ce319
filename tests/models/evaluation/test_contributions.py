"""Losses are differences of the plain metrics, overall and by slice, with paired intervals."""

import numpy as np
import pytest

from models.evaluation import contributions, metrics, scoring
from tests.models.evaluation.test_scoring import COUNTS, random_scored


def test_losses_are_differences_and_their_intervals_hold_them():
    scored = random_scored(900)
    rng = np.random.default_rng(4)
    informed = (scored.probability + scored.label) / 2
    scored = type(scored)(**{**vars(scored), "probability": informed})
    noise = rng.random(900).astype(np.float32)
    found = contributions.measure(
        scored, {"same": informed, "noise": noise}, scoring.slices(scored, COUNTS)
    )
    same, other = found["others"]["same"], found["others"]["noise"]
    assert same["auc_loss"] == 0 and same["gauc_loss_interval"] == (0, 0)
    expected = metrics.auc(scored.label, informed) - metrics.auc(scored.label, noise)
    assert other["auc_loss"] == pytest.approx(expected)
    low, high = other["auc_loss_interval"]
    assert 0 < low < expected < high < 0.6
    (cold,) = [one for one in found["slices"]["item_train_count"] if one["slice"] == "0"]
    chosen = scored.item_id == 40
    areas = [metrics.auc(scored.label[chosen], one[chosen]) for one in (informed, noise)]
    assert cold["others"]["noise"]["auc_loss"] == pytest.approx(areas[0] - areas[1])
    assert cold["candidates"] == chosen.sum() and cold["users"] == 9


def test_a_slice_of_one_class_has_no_loss():
    scored = random_scored(60)
    scored = type(scored)(**{**vars(scored), "label": np.ones(60, np.float32)})
    slices = scoring.slices(scored, COUNTS)
    figures = contributions.measure(scored, {"a": scored.probability}, slices)["others"]["a"]
    assert figures["auc_loss"] is None and figures["gauc_loss_interval"] is None
