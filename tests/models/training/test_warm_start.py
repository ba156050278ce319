"""A warm start keeps the earlier model's predictions, however the vocabulary changed."""

import dataclasses
import logging

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from features.id_kinds import IdKinds
from features.schema import Downsampling
from models import factory, trained_model
from models.model_config import ModelConfig
from models.ranking_model import RankingModel
from models.training import fit
from models.training.computed import calibration_fit, item_counts
from models.training.config import TrainingConfig
from models.training.warm_start import warm_start
from pipeline.training_runs import training_inputs
from tests import synthetic

IDS = synthetic.item_ids()
SMALL = {"embedding_width": 6, "head_width": 5, "hidden": (8,), "tier_width": 4, "side_buckets": 16}


def built(vocabulary=None, seed=None, schema=synthetic.SCHEMA, **values):
    config = ModelConfig(**{**SMALL, **values})
    sets = synthetic.embedding_sets(schema)
    model = factory.build_model(config, schema, vocabulary, sets)
    rng = np.random.default_rng(seed)
    for variable in synthetic.float_weights(model) if seed is not None else ():
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    return model


def batch(keep=IDS, count=60):
    """Requests whose items are all among those."""
    found = [
        one
        for one in synthetic.random_requests(count=count, seed=5)
        if np.isin([*one.history_item_id, *one.candidate_item_id], keep).all()
    ]
    assert len(found) > 5
    return synthetic.batch_of(found)


def logits(model, requests):
    return tf.boolean_mask(model(requests), requests["candidate_mask"]).numpy()


@pytest.mark.parametrize("name", ["dmf", "make", "din"])
def test_until_it_is_trained_the_model_predicts_what_the_earlier_one_does(name):
    # Ten ids leave, twenty come; of these the earlier model looks up OOV rows.
    earlier = built(IDS[:40], seed=1, name=name)
    model = built(IDS[10:], name=name)
    result = warm_start(model, earlier)
    assert (result.kept, result.new, result.dropped) == (30, 20, 10)
    assert not result.initial and not result.unused
    remaining = batch(IDS[10:], 400)
    np.testing.assert_allclose(logits(model, remaining), logits(earlier, remaining), atol=1e-5)
    assert np.ptp(logits(earlier, remaining)) > 0.1
    # Those that left now share OOV rows, so requests with them are predicted otherwise.
    assert np.abs(logits(model, batch()) - logits(earlier, batch())).max() > 1e-3


@pytest.mark.parametrize(("before", "now"), [(None, 0.1), (0.1, None), (0.5, 0.02), (0.1, 0.1)])
def test_another_share_of_negatives_changes_no_prediction(before, now):
    def schema(rate):
        sampled = None if rate is None else Downsampling("click", rate)
        return dataclasses.replace(synthetic.SCHEMA, downsampling=sampled)

    earlier = built(IDS, seed=1, schema=schema(before), conversion_label="conversion")
    model = built(IDS, schema=schema(now), conversion_label="conversion")
    warm_start(model, earlier)
    for label, logit in earlier.logits_by_label(batch()).items():
        np.testing.assert_allclose(model.logits_by_label(batch())[label], logit, atol=1e-5)
    # What the auxiliary head learned of the records is moved alike.
    found = [one.auxiliary_head(one.candidates_and_interest(batch())) for one in (model, earlier)]
    moved = earlier.logit_shift - model.logit_shift
    np.testing.assert_allclose(found[0], found[1] + moved, atol=1e-5)


def test_rows_are_matched_by_id_and_a_new_id_starts_from_its_oov_row():
    earlier, model = built(IDS[:40], seed=1, oov_buckets=3), built(IDS[10:], oov_buckets=3)
    warm_start(model, earlier)
    old, new = earlier.item_embedding, model.item_embedding
    by_id = dict(zip(IDS[:40].tolist(), old.table.numpy()[3:], strict=True))
    for value, row in zip(IDS[10:].tolist(), new.table.numpy()[3:], strict=True):
        oov = old.table.numpy()[old.rows(tf.constant(value, tf.int64)).numpy()]
        np.testing.assert_array_equal(row, by_id.get(value, oov))
    np.testing.assert_array_equal(new.table[:3], old.table[:3])
    np.testing.assert_array_equal(new.vocabulary, IDS[10:])


def test_rows_beyond_one_block_are_copied_too(monkeypatch):
    monkeypatch.setattr("models.layers.id_embedding._ROWS_AT_ONCE", 7)
    earlier, model = built(IDS, seed=1), built(IDS)
    warm_start(model, earlier)
    np.testing.assert_array_equal(model.item_embedding.table, earlier.item_embedding.table)


def test_another_number_of_oov_rows_starts_each_from_their_mean():
    earlier, model = built(IDS, seed=1, oov_buckets=4), built(IDS, oov_buckets=2)
    warm_start(model, earlier)
    mean = earlier.item_embedding.table.numpy()[:4].mean(0)
    np.testing.assert_allclose(model.item_embedding.table[:2], [mean, mean], atol=1e-6)
    np.testing.assert_array_equal(model.item_embedding.table[2:], earlier.item_embedding.table[4:])


def test_hashed_tables_are_copied_and_hashed_ids_may_get_rows_of_their_own():
    earlier, model = built(seed=1, hashed_buckets=20), built(hashed_buckets=20)
    assert warm_start(model, earlier).kept == 20
    np.testing.assert_array_equal(logits(model, batch()), logits(earlier, batch()))
    own = built(IDS)
    result = warm_start(own, earlier)
    assert (result.kept, result.new, result.dropped) == (0, len(IDS), 0)
    np.testing.assert_allclose(logits(own, batch()), logits(earlier, batch()), atol=1e-5)


@pytest.mark.parametrize("hashed", [0, 20])
def test_rates_are_matched_by_id_and_counted_on(examples, hashed):
    earlier = built(IDS[:40], hashed_buckets=hashed)
    item_counts.fit_item_prior(earlier, examples)
    model = built(IDS[10:], hashed_buckets=hashed)
    warm_start(model, earlier)
    requests = batch(IDS[10:40], 400)

    def priors(one):
        return tf.boolean_mask(one.prior(requests), requests["candidate_mask"]).numpy()

    before = priors(earlier)
    np.testing.assert_allclose(priors(model), before, atol=1e-6)
    assert np.ptp(before) > 0.01
    item_counts.fit_item_prior(model, examples)
    # The same records again: rates that were shrunken come closer to what was observed.
    assert np.abs(priors(model)).sum() > 1.2 * np.abs(before).sum()


def test_after_a_model_without_rates_their_factor_starts_at_0(examples):
    earlier = built(IDS, seed=1, prior_strength=0.0)
    model = built(IDS)
    result = warm_start(model, earlier)
    assert result.initial == ("item_prior/factor",)
    item_counts.fit_item_prior(model, examples)
    np.testing.assert_allclose(logits(model, batch()), logits(earlier, batch()), atol=1e-5)
    with_rates = built(IDS, seed=2)
    assert warm_start(built(IDS, prior_strength=0.0), with_rates).unused == ("item_prior/factor",)


def test_a_second_label_starts_from_initial_values_and_says_so():
    result = warm_start(built(IDS, conversion_label="conversion"), built(IDS, seed=1))
    assert result.initial and all(name.startswith("conversion_head") for name in result.initial)
    result = warm_start(built(IDS), built(IDS, conversion_label="conversion"))
    assert result.unused and not result.initial


def other_features():
    values = synthetic.SCHEMA.to_dict()
    return type(synthetic.SCHEMA).from_dict(
        {**values, "item_features": values["item_features"][1:]}
    )


def of_strings():
    return dataclasses.replace(synthetic.SCHEMA, id_kinds=IdKinds(item="string"))


def test_ids_of_another_kind_are_refused_and_unknown_ones_taken():
    integers = dataclasses.replace(synthetic.SCHEMA, id_kinds=IdKinds(item="integer"))
    with pytest.raises(UserInputError, match="--warm_start: item ids are integers"):
        warm_start(built(IDS, schema=of_strings()), built(IDS, schema=integers))
    assert warm_start(built(IDS, schema=of_strings()), built(IDS)).kept == len(IDS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden": (9,)}, r"head/_mlp/0/kernel has shape \(\d+, 9\), there \(\d+, 8\)"),
        ({"embedding_width": 7}, r"attention/query_kernel has shape"),
        ({"hashed_buckets": 20}, r"hashes ids into 20 rows, the earlier one into 0"),
        ({"schema": other_features()}, "the records' item_features are"),
    ],
)
def test_what_has_another_shape_is_named(values, message):
    with pytest.raises(UserInputError, match=message):
        warm_start(built(IDS, **values), built(IDS))


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    splits = {"train": 60, "validation": 40}
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("set") / "set"), splits=splits)


@pytest.mark.parametrize("name", ["dmf", "make"])
@pytest.mark.slow
def test_training_starts_from_the_folder_and_says_how_many_rows(examples, tmp_path, name, caplog):
    # Rates are counted anew, in records that the earlier model did not see.
    earlier = built(IDS[:40], seed=1, name=name, prior_strength=0.0)
    trained_model.write_trained_model(str(tmp_path / "1"), earlier, {})
    start = training_inputs.find_start("last", str(tmp_path / "2"))
    # Steps of no size leave what the training started from.
    still = TrainingConfig(
        batch_candidates=64,
        learning_rate=1e-30,
        bucket_learning_rate=1e-30,
        epochs=1,
        evaluations_per_epoch=1,
    )
    with caplog.at_level(logging.INFO, logger="absl"):
        sets = synthetic.embedding_sets()
        args = (earlier.config, still, str(tmp_path / "2"), sets)
        model, _ = fit.train(examples, *args, start=start)
    assert "40 ids keep their rows, 15 are new, 0 are dropped" in caplog.text
    calibration_fit.fit_calibration(earlier, examples)  # Each training ends with it.
    np.testing.assert_allclose(logits(model, batch()), logits(earlier, batch()), atol=1e-5)


@pytest.mark.slow
def test_a_model_that_is_replaced_while_it_is_read_is_refused(examples, tmp_path, monkeypatch):
    folder, earlier = str(tmp_path / "1"), built(IDS[:40], name="id_only")
    trained_model.write_trained_model(folder, earlier, {})
    read = trained_model.read_trained_model

    def replaced(start: str) -> RankingModel:
        model = read(start)
        trained_model.write_trained_model(start, built(IDS[:40], seed=2, name="id_only"), {})
        return model

    monkeypatch.setattr(trained_model, "read_trained_model", replaced)
    with pytest.raises(UserInputError, match="was replaced while it was read"):
        fit.train(examples, earlier.config, TrainingConfig(), str(tmp_path / "2"), start=folder)
    assert not (tmp_path / "2").exists()


def test_last_is_the_complete_model_whose_name_comes_before(tmp_path):
    for name, complete in {"05-01": True, "05-02": True, "05-03": False, "05-09": True}.items():
        (tmp_path / name).mkdir()
        if complete:
            (tmp_path / name / "manifest.json").write_text("{}")
    for own, expected in {"05-02": "05-01", "05-04": "05-02", "06-01": "05-09"}.items():
        found = training_inputs.find_start("last", str(tmp_path / own))
        assert found == str(tmp_path / expected)
    with pytest.raises(UserInputError, match="has a name before '05-01'"):
        training_inputs.find_start("last", str(tmp_path / "05-01"))
    with pytest.raises(UserInputError, match="would overwrite"):
        training_inputs.find_start(str(tmp_path / "05-01"), str(tmp_path / "05-01"))
