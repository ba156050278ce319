"""Attention per bucket sums to 1, and shows a planted preference."""

import numpy as np
import pytest

from features.embeddings import similarity
from models import factory
from models.evaluation import attention_mass
from models.model_config import ModelConfig
from tests import synthetic

CONFIG = ModelConfig(name="dmf", embedding_width=4, head_width=4, heads=2, hidden=(8,))


def batch_of(count, seed=5):
    requests = synthetic.random_requests(count=count, seed=seed)
    return synthetic.batch_of(requests)


def a_model(seed=0):
    model = factory.build_model(CONFIG, synthetic.SCHEMA, synthetic.item_ids())
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    return model


def test_shares_sum_to_one_and_behaviors_are_counted():
    batch = batch_of(20)
    known = batch["history_mask"].numpy()
    assert not known.any(axis=1).all(), "a request without behaviors"
    assert not batch["candidate_mask"].numpy().all(), "a candidate that is padding"
    found = attention_mass.measure(a_model(), [batch])
    assert set(found) == set(synthetic.SCHEMA.modality_names)
    bucket = similarity.bucket_of_code(CONFIG.attention_edges)
    for name, one in found.items():
        expected = np.zeros((synthetic.SCHEMA.behavior_types, len(one["edges"]) + 2))
        candidates = 0
        codes = batch[f"similarity_{name}"].numpy()
        for r, c in np.argwhere(batch["candidate_mask"].numpy() & known.any(axis=1)[:, None]):
            candidates += 1
            for i in np.flatnonzero(known[r]):
                kind = batch["history_type"].numpy()[r, i]
                expected[kind, bucket[codes[r, c, i]]] += 1 / known[r].sum()
        np.testing.assert_allclose(one["behaviors"], expected / candidates, atol=1e-6)
        assert np.sum(one["mass"]) == pytest.approx(1, abs=1e-5)
        assert np.sum(one["behaviors"]) == pytest.approx(1, abs=1e-5)
        assert np.abs(np.subtract(one["mass"], one["behaviors"])).max() > 1e-3


def test_the_sample_does_not_depend_on_how_it_is_batched():
    model, requests = a_model(), batch_of(6)
    parts = [{name: value[i : i + 2] for name, value in requests.items()} for i in (0, 2, 4)]
    whole, split = (attention_mass.measure(model, one) for one in ([requests], parts))
    for name in whole:
        np.testing.assert_allclose(whole[name]["mass"], split[name]["mass"], atol=1e-6)


def test_a_bias_for_one_bucket_draws_the_attention_there():
    model, batch = a_model(), batch_of(20)
    before = np.sum(attention_mass.measure(model, [batch])["text"]["mass"], axis=0)
    bucket = int(np.argmax(before))
    bias = model.attention.bucket_bias("text")
    planted = np.zeros(bias.shape)
    planted[:, bucket] = 50
    bias.assign(planted)
    found = attention_mass.measure(model, [batch])["text"]
    known = batch["history_mask"].numpy()
    buckets = similarity.bucket_of_code(found["edges"])[batch["similarity_text"].numpy()]
    counted = batch["candidate_mask"].numpy() & known.any(axis=1)[:, None]
    present = ((buckets == bucket) & known[:, None]).any(axis=2)[counted].mean()
    assert np.sum(found["mass"], axis=0)[bucket] == pytest.approx(present, abs=1e-4)


def test_nothing_of_a_model_without_codes_and_zeros_without_behaviors():
    config = ModelConfig(**{**CONFIG.__dict__, "name": "id_only"})
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids())
    assert attention_mass.measure(model, [batch_of(2)]) == {}
    assert np.sum(attention_mass.measure(a_model(), [])["text"]["mass"]) == 0


def test_vectors_count_in_the_attention_of_a_model_that_reads_them():
    config = ModelConfig(name="raw_vectors", embedding_width=4, head_width=4, hidden=(8,))
    model = factory.build_model(
        config, synthetic.SCHEMA, synthetic.item_ids(), synthetic.embedding_sets()
    )
    found = attention_mass.measure(model, [batch_of(20)])
    assert set(found) == set(synthetic.SCHEMA.modality_names)
    for one in found.values():
        assert np.sum(one["mass"]) == pytest.approx(1, abs=1e-5)
