"""The item prior equals counting in plain Python, and no user's own label is in it in training."""

import math

import numpy as np
import pytest
import tensorflow as tf

from models.layers import item_prior
from models.layers.item_prior import GROUPS, ItemPrior

UNKNOWN, STRENGTH = 2, 7.0


def built(rows=9, strength=STRENGTH, unknown=UNKNOWN):
    layer = ItemPrior(rows, unknown, strength)
    layer.build(None)
    return layer


def counts(rows=9, seed=0):
    rng = np.random.default_rng(seed)
    shown = rng.poisson(4, (rows, GROUPS)).astype(np.float32)
    shown[UNKNOWN] = 0  # An item that was never shown.
    return np.float32(rng.binomial(shown.astype(int), 0.2)), shown


def log_odds(rate):
    return math.log(rate / (1 - rate))


def reference(positives, shown, row, left_out=None, strength=STRENGTH, earlier=0.0):
    """What one item's prior is, a candidate's group at a time."""
    mean = positives.sum() / shown.sum()
    center = log_odds(mean)
    start = 1 / (1 + math.exp(-center - earlier))
    groups = [group for group in range(GROUPS) if group != left_out]
    of_item = sum(float(positives[row, group]) for group in groups)
    among = sum(float(shown[row, group]) for group in groups)
    return log_odds((of_item + strength * start) / (among + strength)) - center


@pytest.mark.parametrize("strength", [0.5, 7.0, 500.0])
@pytest.mark.parametrize("block", [3, 1 << 18])
def test_every_group_sees_the_counts_of_the_others(monkeypatch, strength, block):
    monkeypatch.setattr(item_prior, "_ROWS_AT_ONCE", block)
    layer = built(strength=strength)
    positives, shown = counts()
    assert layer.fit(positives, shown)
    rows, users = tf.range(9, dtype=tf.int64), tf.range(40, dtype=tf.int64)
    groups = item_prior.group(users).numpy()
    assert set(groups) == set(range(GROUPS))
    served = layer(rows).numpy()
    trained = layer.in_training(tf.tile(rows[None], [40, 1]), users).numpy()
    np.testing.assert_array_equal(served[:UNKNOWN], 0)
    np.testing.assert_array_equal(trained[:, :UNKNOWN], 0)
    for row in range(UNKNOWN, 9):
        expected = reference(positives, shown, row, None, strength)
        assert served[row] == pytest.approx(expected, abs=1e-5)
        for user, group in enumerate(groups):
            expected = reference(positives, shown, row, group, strength)
            assert trained[user, row] == pytest.approx(expected, abs=1e-5)
    assert served[UNKNOWN] == pytest.approx(0, abs=1e-6), "never shown, so like all"
    assert np.ptp(served) > 0.02


def test_labels_of_a_users_own_group_change_nothing_that_the_user_sees_in_training():
    positives, shown = counts()
    other = positives.copy()
    other[:, 3] = shown[:, 3] - positives[:, 3]
    rows = tf.range(UNKNOWN, 9, dtype=tf.int64)[None]
    groups = item_prior.group(tf.range(99, dtype=tf.int64)).numpy()
    user = tf.constant([list(groups).index(3)], tf.int64)
    seen = []
    for one in (positives, other):
        # The rate of all items stays: it is a single number, which the head's bias takes up.
        balance = np.zeros_like(one)
        balance[0, 3], balance[1, 3] = 50 - (one.sum() - positives.sum()), 0
        layer = built()
        layer.fit(one + balance, shown + np.float32(balance > 0) * 100)
        seen.append((layer.in_training(rows, user).numpy(), layer(rows).numpy()))
    np.testing.assert_allclose(seen[0][0], seen[1][0], atol=1e-6)
    assert np.abs(seen[0][1] - seen[1][1]).max() > 0.05


def test_a_log_of_one_group_has_no_prior():
    positives, shown = counts()
    of_one = np.zeros_like(shown)
    of_one[:, 5] = 1
    layer = built()
    layer.fit(positives, shown)
    assert not layer.fit(positives * of_one, shown * of_one)
    assert not built().fit(0 * positives, 0 * shown)
    np.testing.assert_array_equal(layer(tf.range(9, dtype=tf.int64)), 0)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_label_alone_is_finite(label):
    _, shown = counts()
    layer = built()
    assert layer.fit(label * shown, shown)
    found = layer(tf.range(9, dtype=tf.int64)).numpy()
    assert np.isfinite(found).all() and np.abs(found).max() < 3


def test_counts_after_a_warm_start_are_shrunken_towards_the_earlier_rate():
    earlier, layer = built(), built(rows=8)
    earlier.fit(*counts())
    # The rows of items in another order: those of the new layer, in the earlier one.
    sources = np.array([8, 2, 5, 0, 3, 4])
    layer.adopt(earlier, sources)
    rows = tf.range(UNKNOWN, 8, dtype=tf.int64)
    adopted = layer(rows).numpy()
    np.testing.assert_allclose(adopted, earlier(tf.constant(sources)), atol=1e-6)
    positives, shown = counts(rows=8, seed=1)
    layer.fit(positives, shown)
    for row, start in zip(range(UNKNOWN, 8), adopted, strict=True):
        expected = reference(positives, shown, row, earlier=float(start))
        assert float(layer(tf.constant(row, tf.int64))) == pytest.approx(expected, abs=1e-5)
    assert layer(rows).numpy()[0] == pytest.approx(adopted[0], abs=1e-5), "not shown again"


def test_without_a_strength_is_refused():
    with pytest.raises(ValueError, match="above 0, received 0"):
        ItemPrior(3, 1, 0)
