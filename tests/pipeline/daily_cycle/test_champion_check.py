"""What the version that serves says of a part whose labels are wrong somewhere."""

import numpy as np
import pytest

from pipeline.daily_cycle import champion_check
from pipeline.daily_cycle.champion_limits import ChampionLimits
from pipeline.version_gate import comparison
from pipeline.version_gate.comparison import HeldOut, Task

USERS, EACH = 400, 20


def scopes(label, category, probability, users=None):
    user = np.repeat(np.arange(USERS), EACH) if users is None else users
    by_value = champion_check._by_value(category)
    task = Task(label.astype(np.float32), probability.astype(np.float32))
    return comparison.compare(HeldOut(user, {"click": task}, {"category": by_value}), 100)


@pytest.fixture
def part():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.02, 0.3, USERS * EACH)
    label = rng.random(USERS * EACH) < probability
    return label, rng.integers(8, size=USERS * EACH), probability


def test_a_part_that_fits_has_no_reason(part):
    assert champion_check.reasons(scopes(*part), {"click": 0.6}, ChampionLimits()) == []


def test_labels_flipped_in_one_category_are_named(part):
    label, category, probability = part
    flipped = np.where(category == 3, ~label, label)
    found = champion_check.reasons(scopes(flipped, category, probability), {}, ChampionLimits())
    assert any("click, category 3" in one and "slice_calibration_band" in one for one in found)
    assert not any("category 4" in one for one in found)


def test_an_auc_below_that_of_the_gate_is_named(part):
    label, category, probability = part
    noise = np.random.default_rng(1).permutation(probability)
    measured = scopes(label, category, noise)
    (found,) = champion_check.reasons(measured, {"click": 0.65}, ChampionLimits())
    assert "was 0.6500 at the gate" in found and "(auc_fall)" in found
    assert champion_check.reasons(measured, {}, ChampionLimits()) == []  # None is known.


def test_predictions_far_off_everywhere_are_named(part):
    label, category, probability = part
    found = champion_check.reasons(scopes(label, category, probability / 2), {}, ChampionLimits())
    assert "(calibration_band)" in found[0]


def test_a_slice_of_few_positives_does_not_judge(part):
    label, category, probability = part
    rare = np.arange(len(label)) < 60
    category = np.where(rare, 9, category)
    label = np.where(rare, False, label)
    measured = scopes(label, category, probability)
    assert champion_check.reasons(measured, {}, ChampionLimits()) == []
    strict = ChampionLimits(min_slice_expected=1, min_slice_users=1)
    (found,) = champion_check.reasons(measured, {}, strict)
    assert "category 9: no candidate is positive, where 10 are expected" in found


def test_a_category_that_lost_its_positives_is_named(part):
    label, category, probability = part
    lost = label & (category != 3)
    (found,) = champion_check.reasons(scopes(lost, category, probability), {}, ChampionLimits())
    assert "category 3: no candidate is positive" in found


def test_only_the_most_frequent_values_are_slices():
    values = np.concatenate([np.arange(100), np.repeat(np.arange(100, 120), 5)])
    found = champion_check._by_value(values)
    assert len(found) == 20 and set(found) == set(map(str, range(100, 120)))
    assert all(mask.sum() == 5 for mask in found.values())
