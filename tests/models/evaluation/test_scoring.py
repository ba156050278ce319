"""Slices add up to the split, and are named by their range."""

import dataclasses

import numpy as np
import pytest

from features.schema import Downsampling
from models import factory
from models.evaluation import metrics, scoring
from models.evaluation.scoring import Scored
from models.model_config import ModelConfig
from tests import synthetic

COUNTS = np.array([10, 20, 30]), np.array([1, 9, 500])


def random_scored(size=400, seed=0):
    rng = np.random.default_rng(seed)
    length = rng.integers(0, 60, size) * rng.integers(0, 2, size)
    return Scored(
        user_id=rng.integers(0, 9, size),
        item_id=rng.choice([10, 20, 30, 40], size),
        label=rng.integers(0, 2, size).astype(np.float32),
        probability=rng.random(size).astype(np.float32),
        history_length=length,
        known_similarity={"text": (length > 0) & (rng.random(size) < 0.7)},
    )


def test_slices_add_up_and_hold_the_metrics_of_their_candidates():
    scored = random_scored()
    found = scoring.evaluate(scored, COUNTS)["slices"]
    assert set(found) == {"history_length", "item_train_count", "similarity_text"}
    for name in ("history_length", "item_train_count"):
        assert sum(one["candidates"] for one in found[name]) == len(scored.label)
    assert [one["slice"] for one in found["item_train_count"]] == ["0", "1-9", "100+"]
    known, unknown = found["similarity_text"]
    assert (known["slice"], unknown["slice"]) == ("known", "unknown")
    behaviors = scored.history_length > 0
    assert known["candidates"] + unknown["candidates"] == behaviors.sum()
    chosen = behaviors & ~scored.known_similarity["text"]
    assert unknown["auc"] == metrics.auc(scored.label[chosen], scored.probability[chosen])
    cold = scored.item_id == 40
    assert found["item_train_count"][0]["auc"] == metrics.auc(
        scored.label[cold], scored.probability[cold]
    )


@pytest.mark.parametrize("name", ["dmf", "id_only"])
def test_similarity_is_unknown_to_candidates_without_an_embedding(tmp_path, name):
    examples = synthetic.write_example_set(str(tmp_path / "set"), splits={"test": 60})
    config = ModelConfig(name=name, embedding_width=4, head_width=4, hidden=(8,))
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids())
    scored = scoring.score(model, examples, "test")
    assert list(scored.known_similarity) == list(synthetic.SCHEMA.modality_names)
    sets = synthetic.embedding_sets()
    for modality, known in scored.known_similarity.items():
        absent = ~np.isin(scored.item_id, sets[modality].item_ids)
        assert 0 < absent.sum() < len(absent)
        assert not known[absent | (scored.history_length == 0)].any()
        long = ~absent & (scored.history_length > 3)
        assert known[long].mean() > 0.9


def test_metrics_by_weight_stand_beside_those_that_count_each_candidate_once():
    scored = random_scored()
    weight = np.random.default_rng(1).integers(0, 3, 400).astype(np.float32)
    plain = scoring.evaluate(scored, COUNTS)
    found = scoring.evaluate(dataclasses.replace(scored, weight=weight), COUNTS)
    assert "weighted" not in plain
    weighted = found.pop("weighted")
    assert {name: found[name] for name in ("auc", "gauc", "ne")} == {
        name: plain[name] for name in ("auc", "gauc", "ne")
    }
    expected = metrics.summarize(scored.label, scored.probability, scored.user_id, weight)
    assert weighted["auc"] == pytest.approx(expected["auc"])
    assert weighted["candidates"] == (weight > 0).sum()
    for one, other in zip(
        found["slices"]["history_length"], plain["slices"]["history_length"], strict=True
    ):
        assert one.pop("weighted")["auc"] != other["auc"]
        assert one == other
    nothing = dataclasses.replace(scored, weight=np.zeros(400, np.float32))
    assert scoring.evaluate(nothing, COUNTS)["weighted"] is None


def test_a_sampled_split_is_scored_as_the_whole_log(tmp_path):
    """Labels say what each candidate stands for; the records' weights are on top."""
    schema = dataclasses.replace(
        synthetic.SCHEMA, downsampling=Downsampling("click", 0.25), weighted=True
    )
    splits = {"train": 60, "test": 60}
    examples = synthetic.write_example_set(str(tmp_path / "set"), schema, splits)
    config = ModelConfig(name="id_only", embedding_width=4, head_width=4, hidden=(8,))
    model = factory.build_model(config, schema, synthetic.item_ids())
    scored = scoring.score(model, examples, "train")
    assert np.array_equal(scored.stands_for, np.where(scored.label > 0, 1, 4))
    assert set(scored.weight) == {0.5, 1.0, 1.5}
    counts = scoring.train_counts(examples)
    found = scoring.evaluate(scored, counts)
    identity = (scored.label, scored.probability, scored.user_id)
    assert found["ne"] == metrics.summarize(*identity, scored.stands_for)["ne"]
    both = metrics.summarize(*identity, scored.stands_for * scored.weight)
    assert found["weighted"]["ne"] == pytest.approx(both["ne"])
    whole = scoring.score(model, examples, "test")
    assert whole.stands_for is None
    # A model of records that are not sampled reads these all the same.
    other = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids())
    assert np.array_equal(scoring.score(other, examples, "train").stands_for, scored.stands_for)
