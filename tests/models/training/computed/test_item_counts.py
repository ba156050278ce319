"""The counts of the item prior are those of a loop over the train split's records."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from features.records import example, running_statistics
from features.schema import CANDIDATE_ITEM_ID, CANDIDATE_MASK, USER_ID
from models import factory, trained_model
from models.evaluation import scoring
from models.layers import item_prior
from models.layers.item_prior import GROUPS
from models.model_config import ModelConfig
from models.training import fit
from models.training.computed import item_counts
from models.training.config import TrainingConfig
from tests import synthetic

SMALL = {"name": "id_only", "embedding_width": 4, "head_width": 4, "hidden": (8,)}


def built(examples, **values):
    config = ModelConfig(**{**SMALL, **values})
    return factory.build_model(config, examples.schema, synthetic.item_ids()[:-5])


def counted(model, examples, monkeypatch):
    """Returns the counts that a model's prior is given."""
    found = []
    monkeypatch.setattr(model.item_prior, "fit", lambda *counts: found.extend(counts) or True)
    item_counts.fit_item_prior(model, examples)
    return found


def looped(model, examples):
    """Returns the counts by one record and one candidate after the other."""
    positives, shown = (np.zeros((model.item_embedding.row_count, GROUPS)) for _ in range(2))
    for path in examples.paths("train"):
        for record in tf.data.TFRecordDataset(path):
            batch = example.parse_examples(examples.schema, record[None])
            group = int(item_prior.group(batch[USER_ID][0]))
            # An eager look-up of each id would take most of the time.
            rows = model.item_embedding.rows(batch[CANDIDATE_ITEM_ID][0]).numpy()
            labels, weights = batch[model.label][0].numpy(), batch.get("candidate_sample_weight")
            for place in np.flatnonzero(batch[CANDIDATE_MASK][0]):
                weight = 1.0 if weights is None else float(weights[0, place])
                positives[rows[place], group] += weight * float(labels[place])
                shown[rows[place], group] += weight
    return positives, shown


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("values", [{}, {"hashed_buckets": 11}, {"label": "conversion"}])
def test_counts_are_those_of_a_loop(tmp_path, monkeypatch, weighted, values):
    schema = dataclasses.replace(synthetic.SCHEMA, weighted=weighted)
    examples = synthetic.write_example_set(str(tmp_path / "set"), schema, {"train": 50})
    monkeypatch.setattr(item_counts, "_RECORDS", 7)
    model = built(examples, **values)
    found, expected = counted(model, examples, monkeypatch), looped(model, examples)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert expected[0].sum() > 0 and (expected[1].sum(axis=0) > 0).sum() > 2


def test_records_with_running_statistics_of_the_label_have_no_prior():
    item = running_statistics.item_feature(("click",))
    user = running_statistics.context_feature(("click",))
    schema = dataclasses.replace(synthetic.SCHEMA, item_features=(item,), context_features=(user,))
    ids = synthetic.item_ids()
    config = ModelConfig(**SMALL)
    assert factory.build_model(config, schema, ids).item_prior is None
    other = dataclasses.replace(config, label="conversion")
    assert factory.build_model(other, schema, ids).item_prior is not None
    off = dataclasses.replace(config, prior_strength=0.0)
    assert factory.build_model(off, synthetic.SCHEMA, ids).item_prior is None


def test_a_record_of_uneven_candidates_is_refused(tmp_path):
    examples = synthetic.write_example_set(str(tmp_path / "set"), splits={"train": 20})
    (path, *_) = examples.paths("train")
    record = tf.train.Example.FromString(next(iter(tf.data.TFRecordDataset(path))).numpy())
    record.features.feature["click"].float_list.value.append(1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="click: not one value per candidate"):
        example.labeled_candidates(examples.schema, [record.SerializeToString()])


def test_a_trained_model_scores_with_all_counts_and_is_read_again(tmp_path):
    splits = {"train": 200, "validation": 60}
    examples = synthetic.write_example_set(str(tmp_path / "set"), splits=splits)
    training = TrainingConfig(batch_candidates=64, epochs=1)
    model, _ = fit.train(examples, ModelConfig(**SMALL), training, str(tmp_path / "model"))
    batch = synthetic.batch_of(synthetic.random_requests(count=20, seed=3))
    assert np.ptp(model.prior(batch)) > 0.05
    difference = model.prior(batch) - model.prior(batch, training=True)
    assert np.abs(difference).max() > 0.01
    again = trained_model.read_trained_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(again(batch), model(batch))
    assert len(scoring.score(again, examples, "validation").label)
