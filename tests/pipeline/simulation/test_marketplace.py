import collections

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from features.embeddings.embedding_set import read_embedding_set
from models.evaluation import metrics
from pipeline.simulation.catalog import CATEGORIES, Items, Users
from pipeline.simulation.ground_truth import SCORES, BinnedScore
from pipeline.simulation.marketplace import RECENT, STRENGTH
from pipeline.simulation.settings import DAY, START
from tests.pipeline.simulation.simulated import SMALL, Log, small


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return Log.simulate(tmp_path_factory.mktemp("marketplace") / "log")


@pytest.fixture(scope="module")
def truth(log):
    return log.columns("truth")


def logit(probability):
    probability = probability.astype(np.float64)
    return np.log(probability / (1 - probability))


def gate_of(log, truth):
    return log.columns("truth_items")["gate"][truth["item_id"] - 1].astype(np.float64)


def worst_deviation(labels, probabilities):
    """The largest distance, in standard errors, of a decile's labels from its probabilities."""
    order = np.argsort(probabilities, kind="stable")
    deviations = []
    for decile in np.array_split(order, 10):
        p = probabilities[decile].astype(np.float64)
        deviations.append((labels[decile].sum() - p.sum()) / np.sqrt(np.sum(p * (1 - p))))
    return np.max(np.abs(deviations))


def test_clicks_happen_as_often_as_the_truth_says(truth):
    p = truth["click_probability"]
    assert worst_deviation(truth["click"], p) < 4
    assert worst_deviation(truth["click"], 1.05 * p) > 4, "the test must see five percent"


def test_conversions_happen_as_often_as_the_truth_says(truth):
    clicked = truth["click"] == 1
    assert not np.any(truth["conversion"][~clicked])
    p = truth["conversion_probability"][clicked]
    assert worst_deviation(truth["conversion"][clicked], p) < 4
    assert worst_deviation(truth["conversion"][clicked], 1.15 * p) > 4


def test_conversions_fall_with_the_price(log, truth):
    price = log.columns("items")["price"][truth["item_id"] - 1]
    clicked = truth["click"] == 1
    cheap = price < np.median(price[clicked])
    rate = [truth["conversion"][clicked & part].mean() for part in (cheap, ~cheap)]
    assert rate[0] > 1.2 * rate[1]


def test_clicks_show_the_interaction_and_nothing_else_of_similarity(log, truth):
    # Fitted to the clicks, not to the probabilities: the planted coefficients come back.
    shown, items, users = log.columns("impressions"), Items.draw(small()), Users.draw(small())
    user, item = shown["user_id"] - 1, shown["item_id"] - 1
    taste = np.sum(users.taste[user] * items.factor[item], axis=1)
    seen = np.log2(shown["position"] + 1)
    similarity = truth["similarity"]
    inputs = [items.quality[item], taste, seen, similarity, items.gate[item] * similarity]
    fitted = LogisticRegression(C=1e6).fit(np.stack(inputs, axis=1), truth["click"])
    np.testing.assert_allclose(fitted.coef_[0, :3], [1, 0.3, -0.25], atol=0.05)
    np.testing.assert_allclose(fitted.coef_[0, 3:], [0, STRENGTH], atol=0.15)


def test_content_matters_through_the_gate(log, truth):
    ceilings = log.json("truth.json")
    bayes, ids_alone, ungated = (
        ceilings[name]["auc"] for name in ("bayes", "ids_alone", "similarity_ungated")
    )
    assert bayes > ids_alone + 0.02
    assert bayes > ungated + 0.04
    assert ids_alone > 0.7
    names = ("bayes", "ids_alone", "similarity_ungated")
    losses = [ceilings[name]["log_loss"] for name in names]
    assert losses == sorted(losses)
    # With the gates of other items, similarity is worse than none.
    gate = gate_of(log, truth)
    gates = np.random.default_rng(0).permutation(log.columns("truth_items")["gate"])
    similarity = truth["similarity"].astype(np.float64)
    rest = logit(truth["click_probability"]) - STRENGTH * gate * similarity
    permuted = rest + STRENGTH * gates[truth["item_id"] - 1] * similarity
    test = log.columns("impressions")["timestamp"] >= ceilings["from_timestamp"]
    assert metrics.auc(truth["click"][test], permuted[test]) < ids_alone - 0.02


@pytest.mark.parametrize(("content", "planted"), [("additive", STRENGTH), ("none", 0)])
def test_clicks_show_the_kind_of_content(tmp_path, content, planted):
    log = Log.simulate(tmp_path / "log", content=content)
    truth, ceilings = log.columns("truth"), log.json("truth.json")
    assert worst_deviation(truth["click"], truth["click_probability"]) < 4
    items, users = Items.draw(small(content=content)), Users.draw(small(content=content))
    usual = Items.draw(small())
    assert np.array_equal(items.content, usual.content)
    assert np.array_equal(items.quality, usual.quality)
    shown = log.columns("impressions")
    user, item = shown["user_id"] - 1, shown["item_id"] - 1
    taste = np.sum(users.taste[user] * items.factor[item], axis=1)
    similarity = truth["similarity"]
    # The gate of the other kind has no say here.
    inputs = [items.quality[item], taste, similarity, usual.gate[item] * similarity]
    fitted = LogisticRegression(C=1e6).fit(np.stack(inputs, axis=1), truth["click"])
    np.testing.assert_allclose(fitted.coef_[0], [1, 0.3, planted, 0], atol=0.15)
    bayes, unplaced, ids_alone, ungated, rate = (ceilings[name]["auc"] for name in SCORES)
    effect = -0.25 * np.log2(shown["position"] + 1)
    test = shown["timestamp"] >= ceilings["from_timestamp"]
    without = logit(truth["click_probability"])[test] - effect[test]
    expected = metrics.auc(truth["click"][test], 1 / (1 + np.exp(-without)))
    assert bayes - 0.002 > unplaced == pytest.approx(expected, abs=1e-4)
    assert bayes == pytest.approx(ungated, abs=1e-4)
    assert bayes > rate + 0.01
    if content == "none":
        assert ids_alone == pytest.approx(bayes, abs=1e-4)
    else:
        assert bayes > ids_alone + 0.02


def test_item_rate_is_that_of_the_clicks_before(log, truth):
    ceilings, shown = log.json("truth.json"), log.columns("impressions")
    early = shown["timestamp"] < ceilings["from_timestamp"]
    item, click = shown["item_id"] - 1, truth["click"]
    count = np.bincount(item[early], minlength=SMALL["items"])
    clicks = np.bincount(item[early & (click == 1)], minlength=SMALL["items"])
    rate = (clicks + 20 * click[early].mean()) / (count + 20)
    expected = metrics.auc(click[~early], rate[item[~early]])
    assert ceilings["item_rate"]["auc"] == pytest.approx(expected, abs=1e-4)
    assert 0.55 < expected < ceilings["ids_alone"]["auc"]


def test_gates_are_balanced_and_content_does_not_show_them():
    items = Items.draw(small(items=20_000))
    assert set(np.unique(items.gate)) == {-1, 0, 1}
    assert abs(items.gate.mean()) < 0.02
    content = items.content[:-1]
    halves = slice(0, 10_000), slice(10_000, None)
    attracts = items.gate == 1
    fitted = LogisticRegression().fit(content[halves[0]], attracts[halves[0]])
    scores = fitted.predict_proba(content[halves[1]])[:, 1]
    assert abs(metrics.auc(attracts[halves[1]], scores) - 0.5) < 0.02
    assert len(np.unique(items.category)) == CATEGORIES


@pytest.fixture(scope="module")
def recent(log):
    """The items each request's user clicked last, by following the log; `[R, RECENT]`, -1: none."""
    shown = log.columns("impressions")
    starts = np.flatnonzero(np.diff(shown["request_id"], prepend=-1))
    found = np.full((len(starts), RECENT), -1)
    clicked = collections.defaultdict(lambda: collections.deque(maxlen=RECENT))
    ends = np.append(starts[1:], len(shown["request_id"]))
    for request, (first, last) in enumerate(zip(starts, ends, strict=True)):
        history = clicked[shown["user_id"][first]]
        found[request, : len(history)] = history
        items = shown["item_id"][first:last] - 1
        history.extend(items[shown["click"][first:last] == 1])
    return found


def mean_vectors(recent, vectors):
    """The mean of the recent items' vectors, of those that have one; zero without any."""
    vectors = np.concatenate([vectors, np.zeros((1, vectors.shape[1]))])
    known = np.linalg.norm(vectors, axis=1) > 0
    return vectors[recent].sum(axis=1) / np.maximum(known[recent].sum(axis=1), 1)[:, None]


def test_similarity_is_that_to_the_clicks_before(truth, recent):
    content = Items.draw(small()).content[:-1].astype(np.float64)
    profiles = mean_vectors(recent, content)[truth["request_id"]]
    expected = np.sum(profiles * content[truth["item_id"] - 1], axis=1)
    np.testing.assert_allclose(truth["similarity"], expected, atol=1e-5)
    assert np.mean(expected != 0) > 0.8


@pytest.mark.parametrize(("modality", "least"), [("text", 0.9), ("image", 0.75)])
def test_modalities_show_the_similarity(log, truth, recent, modality, least):
    one = read_embedding_set(log.path("embeddings", modality))
    vectors = np.zeros((SMALL["items"], one.dimension))
    vectors[one.item_ids - 1] = one.quantized[:-1] / one.norms[:-1, None]
    profiles = mean_vectors(recent, vectors)[truth["request_id"]]
    seen = np.einsum("id,id->i", profiles, vectors[truth["item_id"] - 1])
    covered = np.isin(truth["item_id"], one.item_ids)
    assert np.corrcoef(seen[covered], truth["similarity"][covered])[0, 1] > least


def test_ids_alone_knows_the_mean_over_a_users_moments(log, truth, recent):
    content = Items.draw(small()).content[:-1].astype(np.float64)
    shown = log.columns("impressions")
    user, item = shown["user_id"] - 1, shown["item_id"] - 1
    sender = user[np.flatnonzero(np.diff(shown["request_id"], prepend=-1))]
    sums = np.zeros((SMALL["users"], content.shape[1]))
    np.add.at(sums, sender, mean_vectors(recent, content))
    usual = sums / np.maximum(np.bincount(sender, minlength=SMALL["users"]), 1)[:, None]
    change = np.sum(content[item] * usual[user], axis=1) - truth["similarity"]
    score = logit(truth["click_probability"]) + STRENGTH * gate_of(log, truth) * change
    ceilings = log.json("truth.json")
    test = shown["timestamp"] >= ceilings["from_timestamp"]
    assert 0.15 < test.mean() < 0.25
    assert ceilings["impressions"] == test.sum()
    assert ceilings["clicks"] == truth["click"][test].sum()
    labels, probabilities = truth["click"][test], 1 / (1 + np.exp(-score[test]))
    found = ceilings["ids_alone"]
    assert found["auc"] == pytest.approx(metrics.auc(labels, probabilities), abs=1e-5)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(labels, probabilities), abs=1e-6)


def test_binned_score_is_the_exact_one():
    rng = np.random.default_rng(3)
    logits = rng.normal(-2, 1.5, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-logits))).astype(np.int8)
    score = BinnedScore()
    for part in np.array_split(np.arange(20_000), 7):
        score.add(labels[part], logits[part])
    probabilities = 1 / (1 + np.exp(-logits))
    assert score.auc() == pytest.approx(metrics.auc(labels, probabilities), abs=1e-5)
    assert score.log_loss() == pytest.approx(metrics.log_loss(labels, probabilities), abs=1e-9)
    assert BinnedScore().auc() is None
    assert BinnedScore().log_loss() is None


def test_qualities_turn_by_so_many_degrees_per_day(tmp_path):
    log = Log.simulate(tmp_path / "log", content="none", quality_turn=30.0, position_effect=0.0)
    shown, truth = log.columns("impressions"), log.columns("truth")
    settings = small(content="none", quality_turn=30.0, position_effect=0.0)
    items, users = Items.draw(settings), Users.draw(settings)
    user, item = shown["user_id"] - 1, shown["item_id"] - 1
    taste = np.sum(users.taste[user] * items.factor[item], axis=1)
    days = (shown["timestamp"] - START) / DAY
    logits = logit(truth["click_probability"])
    found = []
    for day in (0, 2):
        chosen = (days >= day) & (days < day + 0.2)
        inputs = np.stack([items.quality[item], taste], axis=1)[chosen]
        found.append(LinearRegression().fit(inputs, logits[chosen]).coef_[0])
    # At about 3 degrees at the beginning, at 63 two days later.
    np.testing.assert_allclose(found, [np.cos(np.radians(3)), np.cos(np.radians(63))], atol=0.1)
