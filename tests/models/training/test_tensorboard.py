"""Summaries, read back, equal what the model and NumPy compute."""

import numpy as np
import pytest
import tensorflow as tf
from absl import logging
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from features.records import example
from models import factory
from models.evaluation import attention_mass
from models.model_config import ModelConfig
from models.training import tensorboard
from tests import synthetic

SIZES = {"embedding_width": 4, "head_width": 4, "heads": 2, "hidden": (8,), "side_buckets": 16}


@pytest.fixture(scope="module")
def sample():
    requests = synthetic.random_requests(count=20, seed=5)
    serialized = [example.encode_request(synthetic.SCHEMA, request) for request in requests]
    return [example.parse_examples(synthetic.SCHEMA, tf.constant(serialized))]


def a_model(name):
    config = ModelConfig(name=name, **SIZES)
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids())
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    return model


def written(folder, model, sample, evaluations=2):
    callback = tensorboard.ContentSummaries(str(folder), sample)
    callback.set_model(model)
    for epoch in range(evaluations):
        callback.on_epoch_end(epoch)
    callback.on_train_end()
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    return events.Reload()


def scalars(events):
    tags = [tag for tag in events.Tags()["tensors"] if "/" in tag.removeprefix("embedding_norm/")]
    return {
        tag: [float(tf.make_ndarray(one.tensor_proto)) for one in events.Tensors(tag)]
        for tag in tags
    }


def test_attention_and_bias_of_every_bucket_are_read_back(tmp_path, sample):
    model = a_model("dmf")
    found = scalars(written(tmp_path, model, sample))
    measured, effect = attention_mass.measure(model, sample), model.bucket_effect()
    for name in ("text", "image"):
        mass, even = (np.sum(measured[name][key], axis=0) for key in ("mass", "behaviors"))
        tags = sorted(tag for tag in found if tag.startswith(f"attention/{name}/"))
        assert tags[0].endswith("00_unknown") and len(tags) == np.count_nonzero(even)
        values = [found[tag][-1] for tag in tags]
        np.testing.assert_allclose(values, (mass / np.maximum(even, 1e-12))[even > 0], rtol=1e-5)
        assert np.ptp(values) > 0.1
        biases = sorted(tag for tag in found if tag.startswith(f"attention_bias/{name}/"))
        expected = np.mean(effect[name]["bias"], axis=1)
        np.testing.assert_allclose([found[tag][0] for tag in biases], expected, rtol=1e-5)
        assert biases[1].endswith("01_-1.00_to_-0.90") and biases[-1].endswith("_to_+1.00")


def test_norms_of_every_table_are_read_back_after_each_evaluation(tmp_path, sample):
    model = a_model("id_only")
    events = written(tmp_path, model, sample)
    found = scalars(events)
    assert not [tag for tag in found if tag.startswith("attention")], "it reads no content"
    assert sorted(model.tables) == ["candidate_genres", "context_country", "item_id"]
    for name, table in model.tables.items():
        norms = np.sqrt(np.sum(table.numpy().astype(np.float64) ** 2, axis=1))
        tag = f"embedding_norm/{name}"
        assert found[f"{tag}/mean"] == pytest.approx([norms.mean()] * 2, rel=1e-5)
        for percent in (5, 50, 95):
            expected = np.percentile(norms, percent)
            assert found[f"{tag}/percentile_{percent:02d}"][0] == pytest.approx(expected, rel=1e-5)
        (first, second) = events.Tensors(tag)
        assert (first.step, second.step) == (0, 1)
        assert tf.make_ndarray(first.tensor_proto)[:, 2].sum() == len(norms)


def test_a_large_table_is_sampled_evenly_to_its_end():
    rows = np.random.default_rng(0).standard_normal((250_001, 2)).astype(np.float32)
    norms = tensorboard.row_norms(tf.Variable(rows))
    assert len(norms) == 83_334
    np.testing.assert_allclose(norms, np.linalg.norm(rows[::3], axis=1), rtol=1e-5)


def test_a_summary_that_fails_is_left_out_and_the_others_are_written(tmp_path, sample, caplog):
    caplog.set_level(logging.WARNING)
    model = a_model("dmf")

    def failing():
        raise AttributeError("reads no codes")

    model.bucket_effect = failing
    found = scalars(written(tmp_path, model, sample))
    assert [tag for tag in found if tag.startswith("attention/text/")]
    assert not [tag for tag in found if tag.startswith("attention_bias/")]
    assert len(found["embedding_norm/item_id/mean"]) == 2
    messages = [one.getMessage() for one in caplog.records if one.levelno >= 30]
    assert [one.partition(" (")[0] for one in messages] == [
        f"Left out: TensorBoard's attention_bias of evaluation {number}" for number in (1, 2)
    ]
    assert all("AttributeError" in one and "reads no codes" in one for one in messages)


def test_an_error_of_the_sample_is_not_a_diagnostics_error(tmp_path):
    def broken():
        raise tf.errors.DataLossError(None, None, "corrupted record at 12")
        yield

    with pytest.raises(tf.errors.DataLossError, match="corrupted record"):
        written(tmp_path, a_model("dmf"), broken())
