"""The weighted metrics of a draw equal the plain metrics of the drawn candidates."""

import numpy as np
import pytest

from models.evaluation import bootstrap, metrics


def candidates(seed=0, users=12, count=150):
    """Scores with ties, users of many sizes, some with one class only."""
    rng = np.random.default_rng(seed)
    user_ids = rng.choice(rng.integers(-(2**62), 2**62, users), count)
    labels = (rng.random(count) < 0.4).astype(np.float32)
    labels[user_ids == user_ids[0]] = 1
    return user_ids, labels, np.round(rng.random(count) + 0.3 * labels, 1)


def drawn(draws, number):
    """Rows of one draw: each user's candidates as often as it was drawn."""
    times = draws.times[number, draws.user].astype(int)
    return np.repeat(np.arange(len(times)), times), times


def user_of_each_copy(draws, number):
    """A user drawn twice is two users to GAUC."""
    rows, times = drawn(draws, number)
    copy = np.concatenate([np.arange(n) for n in times])
    return draws.user[rows] * 1000 + copy


def test_auc_equals_that_of_the_drawn_candidates():
    user_ids, labels, scores = candidates()
    draws = bootstrap.Draws.of(user_ids, resamples=70)
    found = bootstrap.auc(draws, labels, scores)
    for number, value in enumerate(found):
        rows, _ = drawn(draws, number)
        assert value == pytest.approx(metrics.auc(labels[rows], scores[rows]), abs=1e-12)


def test_gauc_equals_that_of_the_drawn_users():
    user_ids, labels, scores = candidates(1)
    draws = bootstrap.Draws.of(user_ids, resamples=40)
    found = bootstrap.gauc(draws, labels, scores)
    for number, value in enumerate(found):
        rows, _ = drawn(draws, number)
        users = user_of_each_copy(draws, number)
        assert value == pytest.approx(metrics.gauc(labels[rows], scores[rows], users)[0], abs=1e-12)


def test_ne_and_calibration_equal_those_of_the_drawn_candidates():
    user_ids, labels, scores = candidates(4)
    draws = bootstrap.Draws.of(user_ids, resamples=40)
    for name in ("normalized_entropy", "calibration"):
        for number, value in enumerate(getattr(bootstrap, name)(draws, labels, scores)):
            rows, _ = drawn(draws, number)
            expected = getattr(metrics, name)(labels[rows], scores[rows])
            assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", ["auc", "gauc", "normalized_entropy", "calibration"])
def test_a_weight_of_n_counts_as_n_candidates(metric, monkeypatch):
    user_ids, labels, scores = candidates(3)
    weights = np.random.default_rng(1).integers(1, 4, len(labels))
    draws = bootstrap.Draws.of(user_ids, resamples=9)
    copies = bootstrap.Draws(np.repeat(draws.user, weights), draws.times)
    expected = getattr(bootstrap, metric)(
        copies, np.repeat(labels, weights), np.repeat(scores, weights)
    )
    monkeypatch.setattr(bootstrap, "_CELLS", 2 * len(labels))
    found = getattr(bootstrap, metric)(draws, labels, scores, weights)
    np.testing.assert_allclose(found, expected)


def test_drawing_every_user_once_gives_the_plain_metrics():
    user_ids, labels, scores = candidates(2)
    user = np.unique(user_ids, return_inverse=True)[1]
    draws = bootstrap.Draws(user, np.ones((1, user.max() + 1)))
    assert bootstrap.auc(draws, labels, scores)[0] == pytest.approx(metrics.auc(labels, scores))
    expected, _ = metrics.gauc(labels, scores, user_ids)
    assert bootstrap.gauc(draws, labels, scores)[0] == pytest.approx(expected)


def test_a_draw_holds_as_many_users_as_there_are_and_repeats():
    user_ids, *_ = candidates()
    draws = bootstrap.Draws.of(user_ids, resamples=50, seed=3)
    assert (draws.times.sum(1) == len(np.unique(user_ids))).all()
    assert len(np.unique(draws.times, axis=0)) > 40
    again = bootstrap.Draws.of(user_ids, resamples=50, seed=3)
    np.testing.assert_array_equal(draws.times, again.times)


def test_draws_without_both_classes_are_nan_and_do_not_count():
    user, labels, scores = np.array([0, 1]), np.array([1.0, 0.0]), np.array([0.9, 0.1])
    draws = bootstrap.Draws(user, np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]]))
    np.testing.assert_array_equal(bootstrap.auc(draws, labels, scores), [np.nan, 1, np.nan])
    assert np.isnan(bootstrap.gauc(draws, labels, scores)).all()
    entropy = bootstrap.normalized_entropy(draws, labels, scores)
    np.testing.assert_allclose(entropy, [np.nan, np.log(0.9) / np.log(0.5), np.nan])
    np.testing.assert_allclose(bootstrap.calibration(draws, labels, scores), [0.9, 1.0, np.nan])
    assert bootstrap.interval(np.array([np.nan, 1, 2, 3])) == pytest.approx((1.05, 2.95))


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        # Each user shifts all of its scores: candidates alone would make too small an interval.
        user = np.repeat(np.arange(60), 5)
        labels = (rng.random(300) < 0.5).astype(np.float32)
        scores = labels * 1.0 + rng.standard_normal(60)[user] + rng.standard_normal(300)
        low, high = bootstrap.interval(bootstrap.auc(bootstrap.Draws.of(user, 200), labels, scores))
        # Difference of two normals of variance 2 each around 1: P(z > -1/2).
        covered += low < 0.691462 < high
    assert 0.88 < covered / 200 < 0.99
