"""Which versions pass: each refusal names its figure and its limit."""

import dataclasses

import numpy as np
import pytest

from pipeline.version_gate.gate import judged
from pipeline.version_gate.options import GateLimits
from tests.pipeline.version_gate.contests import LIMITS, alone, held_out, sigmoid, with_challenger


def judge(given, limits=LIMITS, resamples=100):
    """Returns the reasons, which decide."""
    values = judged(given, limits, resamples)
    assert values["passed"] == (not values["reasons"])
    return values["reasons"]


def logits(given, task="click"):
    champion = given.tasks[task].champion.astype(np.float64)
    return np.log(champion / (1 - champion))


def test_a_tie_passes_whatever_the_records():
    assert judge(held_out()) == []
    poor = held_out()
    unrelated = np.random.default_rng(0).random(len(poor.user_id)).astype(np.float32) / 10
    poor.tasks["click"] = dataclasses.replace(
        poor.tasks["click"], challenger=unrelated, champion=unrelated
    )
    assert judge(poor) == []


def test_a_better_version_passes():
    noisy = held_out(noise=0.8)
    task = noisy.tasks["click"]
    swapped = dataclasses.replace(task, challenger=task.champion, champion=task.challenger)
    assert judge(dataclasses.replace(noisy, tasks={"click": swapped})) == []
    assert judge(alone(noisy)) == []


def test_a_worse_version_is_refused_with_each_figure():
    found = judge(held_out(noise=0.8))
    auc, gauc, ne = (next(one for one in found if f"click: {name} is" in one)
                     for name in ("AUC", "GAUC", "NE"))  # fmt: skip
    values = judged(held_out(noise=0.8), LIMITS, 100)["scopes"][0]["figures"]
    for name, text in (("auc", auc), ("gauc", gauc), ("ne", ne)):
        figure = values[name]
        assert f"is {figure['loss']:.4f} worse" in text
        assert f"{figure['challenger']:.4f} against the champion's {figure['champion']:.4f}" in text
        assert text.endswith("more than 0.02 (loss).")
    assert values["auc"]["loss"] == pytest.approx(
        values["auc"]["champion"] - values["auc"]["challenger"]
    )
    assert values["ne"]["loss"] == pytest.approx(
        values["ne"]["challenger"] - values["ne"]["champion"]
    )


def test_a_small_loss_is_refused_where_it_is_certain():
    given = held_out(users=4000, noise=0.2)
    lenient = GateLimits(loss=1, certain_loss=1)
    assert judge(given, lenient) == []
    found = judge(given, GateLimits(loss=1))
    assert any("for certain, more than 0.001 (certain_loss)" in one for one in found)
    # The same loss on fewer users is not certain.
    assert judge(held_out(users=110, noise=0.05), GateLimits(loss=1)) == []


def test_a_version_that_is_worse_on_cold_items_alone_is_refused_for_that_slice():
    given = held_out(users=2000)
    cold = given.slices["item_train_count"]["0"]
    shuffled = given.tasks["click"].champion.copy()
    shuffled[cold] = np.random.default_rng(0).permutation(shuffled[cold])
    found = judge(with_challenger(given, shuffled), GateLimits(loss=1, certain_loss=1))
    assert found and all(one.startswith("click, item_train_count 0: ") for one in found)
    assert any("AUC is 0." in one and "than 0.005 (slice_certain_loss)" in one for one in found)


def contest_of_equals(seed):
    """Two versions that see the truth through noise of their own, and eleven slices."""
    mine, other = held_out(seed, 300, noise=0.3), held_out(seed, 300)
    noise = np.random.default_rng(seed + 1000).standard_normal(3000)
    seen = (logits(other) + 1 + 0.3 * noise) / np.sqrt(1 + 0.3**2) - 1
    task = dataclasses.replace(mine.tasks["click"], champion=sigmoid(seen).astype(np.float32))
    of_ten = np.random.default_rng(seed).integers(0, 11, 3000)
    slices = {"history_length": {str(one): of_ten == one for one in range(11)}}
    return dataclasses.replace(mine, tasks={"click": task}, slices=slices)


def test_versions_of_the_same_quality_are_seldom_refused_however_many_slices_there_are():
    limits = GateLimits(loss=1, certain_loss=0, slice_certain_loss=0, min_slice_positives=20)
    refused = [bool(judge(contest_of_equals(seed), limits)) for seed in range(30)]
    assert sum(refused) <= 5


def test_a_small_slice_is_told_and_does_not_judge():
    given = held_out()
    few = np.zeros(len(given.user_id), bool)
    few[:200] = True
    given = dataclasses.replace(given, slices={"history_length": {"0": few}})
    scores = given.tasks["click"].champion.copy()
    scores[few] = 1 - scores[few]
    limits = GateLimits(loss=1, certain_loss=1, calibration_loss=1)
    values = judged(with_challenger(given, scores), limits, 50)
    assert values["passed"]
    assert values["notes"] == [
        f"click, history_length 0: does not judge, with 20 users, "
        f"{values['scopes'][1]['positives']} positives and "
        f"{200 - values['scopes'][1]['positives']} negatives; at least 50 users and 50 of each "
        "class would."
    ]


def test_a_miscalibrated_version_is_refused_though_it_ranks_as_well():
    given = held_out(users=2000)
    scaled = given.tasks["click"].champion * 1.12
    found = judge(with_challenger(given, np.minimum(scaled, 1)))
    (text,) = [one for one in found if one.startswith("click: calibration")]
    assert "farther from 1" in text and "more than 0.05 (calibration_loss)" in text
    # As far below 1 counts as much as above.
    (text,) = [one for one in judge(with_challenger(given, scaled / 1.12**2))
               if one.startswith("click: calibration")]  # fmt: skip
    assert "(calibration_loss)" in text


def test_a_version_outside_the_band_is_refused_unless_the_champion_is_as_far():
    given = held_out(users=2000)
    doubled = sigmoid(logits(given) + 1.2)
    (text,) = [one for one in judge(alone(with_challenger(given, doubled))) if "calibration" in one]
    assert "expected 0.8 to 1.25 (calibration_band)" in text
    loose = GateLimits(calibration_loss=9, slice_calibration_loss=9, loss=1, certain_loss=1,
                       slice_certain_loss=1)  # fmt: skip
    (text,) = [one for one in judge(with_challenger(given, doubled), loose) if "calibration" in one]
    assert ", the champion's " in text
    task = dataclasses.replace(given.tasks["click"], champion=doubled, challenger=doubled)
    better = dataclasses.replace(task, challenger=sigmoid(logits(given) + 1.0))
    assert judge(dataclasses.replace(given, tasks={"click": task})) == []
    assert judge(dataclasses.replace(given, tasks={"click": better})) == []


def test_alone_a_version_has_to_be_better_than_chance():
    given = alone(held_out(users=1000))
    upside_down = judge(with_challenger(given, 1 - given.tasks["click"].challenger))
    assert any("AUC is" in one and "at least 0.5 (min_auc)" in one for one in upside_down)
    assert any("NE is" in one and "at most 1 (max_ne)" in one for one in upside_down)


@pytest.mark.parametrize("version", ["challenger", "champion"])
def test_scores_that_are_no_probabilities_are_refused_and_counted(version):
    given = held_out()
    scores = getattr(given.tasks["click"], version).copy()
    scores[:3] = np.nan, np.inf, 1.5
    task = dataclasses.replace(given.tasks["click"], **{version: scores})
    values = judged(dataclasses.replace(given, tasks={"click": task}), LIMITS, 50)
    assert values["reasons"] == [f"click: 3 of 4,000 scores of the {version} are no probabilities."]
    assert values["scopes"][0]["figures"]["auc"][version] is None


def test_too_few_records_are_refused_and_counted():
    assert judge(held_out(users=60)) == [
        "click: 60 users in the records, at least 100 are needed (min_users)."
    ]
    given = held_out()
    for value, what in ((0.0, "positives"), (1.0, "negatives")):
        labels = np.full(len(given.user_id), value, np.float32)
        task = dataclasses.replace(given.tasks["click"], label=labels)
        assert judge(dataclasses.replace(given, tasks={"click": task})) == [
            f"click: 0 {what} in the records, at least 100 are needed (min_positives)."
        ]
    # Where they are allowed, what is missing is refused all the same.
    limits = GateLimits(min_positives=1)
    label = given.tasks["click"].label * 0
    label[0] = 1
    task = dataclasses.replace(given.tasks["click"], label=label)
    one_user = dataclasses.replace(given, user_id=np.arange(4000), tasks={"click": task})
    (text,) = [one for one in judge(one_user, limits) if "missing" in one]
    assert text.startswith("click: GAUC is missing, because no user has positives and negatives")
    rest = GateLimits(min_positives=1, metrics="auc,ne,calibration")
    assert not [one for one in judge(one_user, rest) if "missing" in one]


def test_each_label_is_judged():
    given = held_out(tasks=("click", "conversion"))
    assert judge(given) == []
    worse = np.random.default_rng(0).permutation(given.tasks["conversion"].champion)
    found = judge(with_challenger(given, worse, "conversion"))
    assert found and all(one.startswith("conversion") for one in found)
    lost = {"click": given.tasks["click"]}
    assert judge(dataclasses.replace(given, tasks=lost, lost=("conversion",))) == [
        "conversion: the champion predicts it, and the challenger does not."
    ]
    new = dataclasses.replace(given.tasks["conversion"], champion=None)
    values = judged(
        dataclasses.replace(given, tasks={**given.tasks, "conversion": new}), LIMITS, 50
    )
    assert values["passed"]
    assert values["notes"] == ["conversion: no champion predicts it, so nothing is compared."]


def test_candidates_count_as_often_as_they_stand_for():
    """A log of which a tenth of the negatives was recorded: calibrated with them, not without."""
    given = held_out(users=2000)
    click = given.tasks["click"]
    kept = (click.label > 0) | (np.random.default_rng(1).random(len(click.label)) < 0.1)
    fewer = dataclasses.replace(
        given,
        user_id=given.user_id[kept],
        tasks={"click": type(click)(*(one[kept] for one in vars(click).values()))},
        slices={},
    )
    stands_for = np.where(fewer.tasks["click"].label > 0, 1.0, 10.0)
    assert judge(alone(dataclasses.replace(fewer, stands_for=stands_for))) == []
    assert any("calibration_band" in one for one in judge(alone(fewer)))
