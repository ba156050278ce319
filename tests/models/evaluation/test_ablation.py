"""A path that is off reads nothing: what it would have read may be anything."""

import numpy as np
import pytest
import tensorflow as tf

from features.embeddings import embedding_set
from models import factory
from models.evaluation import ablation, scoring
from models.model_config import ModelConfig
from tests import synthetic
from tests.models.test_model_zoo import CONFIG, NAMES, drawn_batch, random_model, shared_model

ABSENT = tf.constant(-(2**62))


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("examples") / "set")
    return synthetic.write_example_set(folder, splits={"test": 60})


def without(model, batch, *paths):
    switched = {one for path in paths for one in ablation.PATHS[path]}
    return ablation.logits(model, batch, tf.constant([one in switched for one in range(4)]), ABSENT)


def other_content(batch, seed=1):
    """The batch with other similarities and embeddings, where there are any."""
    rng = np.random.default_rng(seed)
    changed = dict(batch)
    for name, values in batch.items():
        if name.startswith(("similarity_", "candidate_embedding_")):
            drawn = rng.integers(1, 100, values.shape).astype(values.dtype.as_numpy_dtype)
            changed[name] = tf.where(values == 0, values, drawn)
    return changed


@pytest.mark.parametrize("name", NAMES)
def test_with_every_path_on_it_is_the_model(name):
    model, batch = shared_model(name), drawn_batch()
    np.testing.assert_allclose(without(model, batch), model(batch), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_without_content_no_content_changes_a_score(name):
    model, batch = shared_model(name), drawn_batch()
    expected = without(model, batch, "content")
    np.testing.assert_allclose(without(model, other_content(batch), "content"), expected, atol=1e-5)
    if model.content_tables:
        sets = {
            key: embedding_set.from_vectors(
                one.item_ids, np.random.default_rng(5).standard_normal(one.quantized[:-1].shape)
            )
            for key, one in synthetic.embedding_sets().items()
        }
        config = ModelConfig(**{**CONFIG, "name": name})
        other = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids(), sets)
        for target, source in zip(other.weights, model.weights, strict=True):
            if "quantized" not in target.name and "norms" not in target.name:
                target.assign(source)
        assert np.abs(other(batch) - model(batch)).max() > 1e-3
        np.testing.assert_allclose(without(other, batch, "content"), expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_without_ids_no_id_changes_a_score(name):
    if factory.MODELS[name].reads_vectors == "always":
        pytest.skip("It looks its content up by these ids.")
    model, batch = random_model(name, vectors=False, oov_buckets=1), drawn_batch()
    ids = {
        key: tf.where(values == 0, values, synthetic.item_ids()[7])
        for key, values in batch.items()
        if key.endswith("item_id")
    }
    assert np.abs(model({**batch, **ids}) - model(batch)).max() > 1e-3
    expected = without(model, batch, "item_ids")
    np.testing.assert_allclose(without(model, {**batch, **ids}, "item_ids"), expected, atol=1e-5)


def test_the_two_paths_of_similarity_are_told_apart():
    """Bucket tables are read in the attention alone, towers beside it alone."""
    model, batch = random_model("dmf"), drawn_batch()
    before = {path: without(model, batch, path) for path in ("attention", "histogram")}
    whole = model(batch)
    for table in model.attention._bucket_keys.values():
        table.assign(tf.concat([table[:1], table[1:] + 1.0], axis=0))
    assert np.abs(model(batch) - whole).max() > 1e-3
    np.testing.assert_allclose(without(model, batch, "attention"), before["attention"], atol=1e-5)
    assert np.abs(without(model, batch, "histogram") - before["histogram"]).max() > 1e-3
    for tower in model.tiers._towers.values():
        tower.kernel.assign_add(tf.ones_like(tower.kernel))
    assert np.abs(without(model, batch, "attention") - before["attention"]).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("id_only", {"item_ids"}),
        ("simtier", {"histogram", "candidate_content", "content", "item_ids"}),
        (
            "dmf",
            {"attention", "histogram", "similarity", "candidate_content", "content", "item_ids"},
        ),
    ],
)
def test_a_split_is_scored_without_each_path_that_the_model_has(examples, name, paths):
    model = shared_model(name)
    scored = scoring.score(model, examples, "test")
    found = ablation.score(model, examples, "test", scored.probability)
    assert set(found) == paths
    assert all(one.shape == scored.probability.shape for one in found.values())


def test_the_id_of_no_item_is_in_no_set():
    low = np.iinfo(np.int64).min
    sets = synthetic.embedding_sets()
    sets["text"].item_ids[:3] = [low, low + 1, low + 3]
    config = ModelConfig(**{**CONFIG, "name": "raw_vectors"})
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids(), sets)
    assert ablation._absent_id(model) == low + 2
