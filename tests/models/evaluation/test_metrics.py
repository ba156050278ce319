"""Metrics against scikit-learn and brute force, with ties and one-class users."""

import numpy as np
import pytest
from sklearn.metrics import log_loss as sk_log_loss
from sklearn.metrics import roc_auc_score

from models.evaluation import metrics


def draw(seed, size=600, users=40, levels=12):
    """Labels, tied probabilities and users of unequal size; some users have one class only."""
    rng = np.random.default_rng(seed)
    user = rng.geometric(0.08, size) % users * 10**15 - 5
    probability = (rng.integers(1, levels, size) / levels).astype(np.float32)
    label = (rng.random(size) < probability * rng.random()).astype(np.float32)
    return label, probability, user


def pair_auc(label, score):
    """Share of (positive, negative) pairs in order, ties half."""
    difference = score[label == 1][:, None] - score[label == 0][None, :]
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


@pytest.mark.parametrize("seed", range(4))
def test_auc_equals_pairs_and_scikit_learn(seed):
    label, score, _ = draw(seed)
    assert metrics.auc(label, score) == pytest.approx(pair_auc(label, score), abs=1e-12)
    assert metrics.auc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_gauc_equals_the_weighted_auc_of_each_user(seed):
    label, score, user = draw(seed)
    areas, weights, left_out = [], [], 0
    for one in np.unique(user):
        mine = user == one
        if 0 < label[mine].sum() < mine.sum():
            areas.append(pair_auc(label[mine], score[mine]))
            weights.append(mine.sum())
        else:
            left_out += 1
    received, users = metrics.gauc(label, score, user)
    assert left_out
    assert users == {"scored": len(areas), "left_out": left_out}
    assert received == pytest.approx(np.average(areas, weights=weights), abs=1e-12)


def test_gauc_by_hand():
    label = np.array([1, 0, 0, 1, 0, 1, 1], np.float32)
    score = np.array([0.9, 0.9, 0.1, 0.2, 0.8, 0.5, 0.6])
    user = np.array([7, 7, 7, -3, -3, 9, 9])
    # User 7: 1.5 of 2 pairs, 3 candidates. User -3: 0 of 1, 2 candidates. User 9: one class.
    received, users = metrics.gauc(label, score, user)
    assert received == pytest.approx((3 * 0.75 + 2 * 0) / 5)
    assert users == {"scored": 2, "left_out": 1}


def test_gauc_ranks_within_users_only():
    label, score, user = draw(1)
    shifted = score + user % 7 * 100  # another level for each user changes nothing
    assert metrics.gauc(label, shifted, user)[0] == pytest.approx(
        metrics.gauc(label, score, user)[0], abs=1e-12
    )
    assert metrics.auc(label, shifted) != pytest.approx(metrics.auc(label, score), abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_log_loss_normalized_entropy_and_calibration_equal_their_definitions(seed):
    label, probability, _ = draw(seed)
    expected = sk_log_loss(label, probability.astype(np.float64))
    assert metrics.log_loss(label, probability) == pytest.approx(expected, abs=1e-9)
    rate = label.mean(dtype=np.float64)
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    assert metrics.normalized_entropy(label, probability) == pytest.approx(expected / entropy)
    constant = np.full(len(label), rate)
    assert metrics.normalized_entropy(label, constant) == pytest.approx(1)
    assert metrics.calibration(label, probability) == pytest.approx(
        probability.astype(np.float64).sum() / label.sum()
    )
    assert metrics.calibration(label, constant) == pytest.approx(1)


def test_log_loss_of_certain_predictions_is_finite():
    label = np.array([0, 1, 1], np.float32)
    for probability in ([0, 1, 1], [1, 0, 0]):
        assert np.isfinite(metrics.log_loss(label, np.array(probability, np.float32)))
    assert metrics.log_loss(label, label) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("only", [0.0, 1.0])
def test_one_class_gives_none_where_a_metric_is_undefined(only):
    label = np.full(5, only, np.float32)
    probability = np.linspace(0.1, 0.9, 5).astype(np.float32)
    summary = metrics.summarize(label, probability, np.array([1, 1, 2, 2, 3]))
    assert summary["auc"] is None
    assert summary["gauc"] is None
    assert summary["ne"] is None
    assert summary["gauc_users"] == {"scored": 0, "left_out": 3}
    assert (summary["calibration"] is None) == (only == 0)
    assert summary["logloss"] > 0
    assert (summary["candidates"], summary["positives"]) == (5, 5 * only)


@pytest.mark.parametrize("size", [3, 10, 607])
def test_calibration_curve_adds_up(size):
    label, probability, _ = draw(0, size=size)
    curve = metrics.calibration_curve(label, probability, bins=10)
    count = np.array([part["count"] for part in curve])
    assert count.sum() == size
    assert count.max() - count.min() <= 1
    assert sum(part["observed"] * part["count"] for part in curve) == pytest.approx(label.sum())
    assert sum(part["predicted"] * part["count"] for part in curve) == pytest.approx(
        probability.sum(), rel=1e-5
    )
    predicted = [part["predicted"] for part in curve]
    assert predicted == sorted(predicted)


@pytest.mark.parametrize("seed", range(3))
def test_an_integer_weight_is_that_many_copies(seed):
    label, probability, user = draw(seed)
    counts = np.random.default_rng(seed).integers(0, 4, len(label))
    copies = np.repeat(np.arange(len(label)), counts)
    expected = metrics.summarize(label[copies], probability[copies], user[copies])
    received = metrics.summarize(label, probability, user, counts.astype(np.float32))
    for name in ("auc", "gauc", "logloss", "ne", "calibration"):
        assert received[name] == pytest.approx(expected[name], rel=1e-6), name
    assert received["candidates"] == len(label)
    ones = metrics.summarize(label, probability, user, np.ones(len(label)))
    plain = metrics.summarize(label, probability, user)
    assert ones["gauc_users"] == plain.pop("gauc_users")
    for name, value in plain.items():
        assert ones[name] == pytest.approx(value, rel=1e-12), name


def test_a_class_of_no_weight_is_not_there():
    label = np.array([1, 0, 1], np.float32)
    probability, user = np.array([0.5, 0.2, 0.4]), np.array([1, 1, 1])
    found = metrics.summarize(label, probability, user, np.array([2.0, 0.0, 1.0]))
    assert (found["auc"], found["ne"], found["gauc"]) == (None, None, None)


def test_the_calibration_curve_counts_by_weight():
    label = np.array([0, 1, 0, 1], np.float32)
    curve = metrics.calibration_curve(
        label, np.array([0.1, 0.3, 0.6, 0.8]), bins=2, weights=np.array([3, 1, 1, 1])
    )
    assert [one["observed"] for one in curve] == [0.25, 0.5]
    assert curve[0]["predicted"] == pytest.approx(0.15)
