"""Training learns a planted signal, keeps the best weights, and a folder restores them."""

import dataclasses
import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from features.schema import Downsampling
from models import factory, trained_model
from models.evaluation import metrics, scoring
from models.model_config import ModelConfig
from models.training import fit, optimizers
from models.training.computed import calibration_fit
from models.training.config import TrainingConfig
from tests import synthetic

MODEL = ModelConfig(
    embedding_width=8, head_width=8, hidden=(16,), tier_width=4, projection_width=4, side_buckets=16
)
TRAINING = TrainingConfig(
    batch_candidates=64,
    epochs=2,
    evaluations_per_epoch=2,
    learning_rate=0.01,
    bucket_learning_rate=0.02,
    shuffle_buffer=1000,
)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("examples") / "set"))


@pytest.fixture(scope="module")
def trained(examples, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("model"))
    model, figures = fit.train(examples, MODEL, TRAINING, folder)
    return model, figures, folder


def weights(model):
    return {v.name: v.numpy() for v in model.trainable_variables}


@functools.cache
def _parsed_requests(count, seed):
    return synthetic.batch_of(synthetic.random_requests(count=count, seed=seed))


def batch_of(count, seed=99):
    """The same requests at every call, in a batch for the caller to change."""
    return dict(_parsed_requests(count, seed))


def test_training_learns_the_planted_signal(examples, trained):
    model, figures, _ = trained
    history = figures["history"]
    assert history[-1]["logloss"] < history[0]["logloss"] - 0.02
    scored = scoring.score(model, examples, "test")
    assert metrics.auc(scored.label, scored.probability) > 0.65


def test_figures_and_folder_say_what_happened(trained):
    _, figures, folder = trained
    assert len(figures["history"]) == 4
    assert figures["steps"] == figures["history"][-1]["step"]
    assert figures["candidates_per_second"] > 0
    assert sorted(os.listdir(folder)) == [
        "manifest.json",
        "model.json",
        "schema.json",
        "tensorboard",
        "vocabulary",
        "weights",
    ]
    with open(os.path.join(folder, "manifest.json")) as file:
        assert json.load(file)["training"]["history"] == figures["history"]


def test_a_model_read_back_gives_the_same_logits_at_any_batch_size(trained):
    model, _, folder = trained
    again = trained_model.read_trained_model(folder)
    assert again.config == model.config
    for count in (1, 3, 40):
        batch = batch_of(count)
        np.testing.assert_array_equal(again(batch), model(batch), err_msg=f"{count} requests")
    assert np.ptp(model(batch_of(40))) > 0.1


@pytest.mark.parametrize("name", ["id_only", "early_fusion", "dmf"])
def test_every_model_is_written_and_read_also_hashed(tmp_path, name):
    config = ModelConfig(**{**MODEL.__dict__, "name": name, "hashed_buckets": 32})
    model = factory.build_model(config, synthetic.SCHEMA, None)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    trained_model.write_trained_model(str(tmp_path), model, {})
    again = trained_model.read_trained_model(str(tmp_path))
    batch = batch_of(5)
    np.testing.assert_array_equal(again(batch), model(batch))
    assert not os.path.exists(tmp_path / "vocabulary" / "item_id.txt")


def test_a_folder_without_manifest_or_of_another_version_is_refused(tmp_path):
    with pytest.raises(UserInputError, match=r"has no manifest\.json"):
        trained_model.read_trained_model(str(tmp_path))
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserInputError, match=r"holds no model, it has no model\.json"):
        trained_model.read_trained_model(str(tmp_path))
    (tmp_path / "model.json").write_text('{"embeding_width": 8}')
    with pytest.raises(UserInputError, match="embeding_width"):
        trained_model.read_trained_model(str(tmp_path))


def test_a_model_without_anything_to_fuse_or_place_ids_with_is_refused():
    values = synthetic.SCHEMA.to_dict()
    without = type(synthetic.SCHEMA).from_dict({**values, "modalities": []})
    with pytest.raises(UserInputError, match="no modality"):
        factory.build_model(MODEL, without, synthetic.item_ids())
    with pytest.raises(UserInputError, match=r"set model\.hashed_buckets"):
        factory.build_model(MODEL, synthetic.SCHEMA, None)
    config = ModelConfig(**{**MODEL.__dict__, "label": "liked"})
    with pytest.raises(UserInputError, match=r"'liked', but the records' labels are"):
        factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids())


def test_the_loss_is_the_mean_over_candidates_that_are_not_padding():
    model = factory.build_model(MODEL, synthetic.SCHEMA, synthetic.item_ids())
    batch = batch_of(6)
    mask = batch["candidate_mask"].numpy()
    assert not mask.all()
    probability = tf.sigmoid(model(batch)).numpy()[mask]
    expected = metrics.log_loss(batch["click"].numpy()[mask], probability)
    assert float(model.compute_loss(batch)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["dmf", "early_fusion", "id_only"])
@pytest.mark.parametrize("kind", ["adam", "lazy_adam", "adagrad"])
def test_optimizer_groups_cover_every_variable_once_and_buckets_have_their_own_rate(name, kind):
    config = ModelConfig(**{**MODEL.__dict__, "name": name})
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids())
    rates = TrainingConfig(learning_rate=1e-3, bucket_learning_rate=0.25, optimizer=kind)
    optimizer = optimizers.build_optimizer(model, rates, 100)
    buckets = {id(variable) for variable in model.bucket_variables()}
    assert len(buckets) == {"dmf": 7, "early_fusion": 2, "id_only": 1}[name]
    before = weights_by_id(model)
    gradients = [tf.ones_like(variable) for variable in model.trainable_variables]
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    # Adam's first step is its rate; Adagrad's 1 / sqrt(1 + initial) of it.
    rest = 1e-3 / np.sqrt(1.1) if kind == "adagrad" else 1e-3
    for variable in model.trainable_variables:
        moved = before[id(variable)] - variable.numpy()
        expected = 0.25 if id(variable) in buckets else rest
        np.testing.assert_allclose(moved, expected, rtol=1e-2, err_msg=variable.name)


def test_step_sizes_fall_to_a_twentieth_over_all_steps():
    model = factory.build_model(MODEL, synthetic.SCHEMA, synthetic.item_ids())
    rates = TrainingConfig(
        learning_rate=0.01, bucket_learning_rate=0.2, learning_rate_decay="linear"
    )
    assert_step_sizes(model, rates, 5, lambda step: max(0.05, 1 - 0.95 * step / 5))


def test_step_sizes_rise_within_half_an_evaluation_interval_and_stay():
    model = factory.build_model(MODEL, synthetic.SCHEMA, synthetic.item_ids())
    rates = TrainingConfig(
        learning_rate=0.01, bucket_learning_rate=0.2, epochs=5, evaluations_per_epoch=2
    )
    assert_step_sizes(model, rates, 80, lambda step: min(1, (step + 1) / 4))


def test_the_warm_up_has_at_most_200_steps():
    rates = optimizers.WarmUp(0.5, 200)
    assert float(rates(199)) == 0.5 and float(rates(99)) == pytest.approx(0.25)
    config = TrainingConfig()
    assert optimizers.warm_up_steps(config, 10**6) == 200
    assert optimizers.warm_up_steps(config, 1) == 1


def assert_step_sizes(model, rates, steps, share_of):
    optimizer = optimizers.build_optimizer(model, rates, steps)
    buckets = {id(variable) for variable in model.bucket_variables()}
    ones = [tf.ones_like(variable) for variable in model.trainable_variables]
    for step in range(7):
        before = weights_by_id(model)
        optimizer.apply_gradients(zip(ones, model.trainable_variables, strict=True))
        share = share_of(step)
        for variable in model.trainable_variables:
            moved = before[id(variable)] - variable.numpy()
            expected = share * (0.2 if id(variable) in buckets else 0.01)
            np.testing.assert_allclose(moved, expected, rtol=1e-2, err_msg=variable.name)


def weights_by_id(model):
    return {id(variable): variable.numpy() for variable in model.trainable_variables}


TRAIN_TWICE = """
import sys
import numpy as np
from models.training import fit
from models.inputs.example_set import ExampleSet
from tests.models.training.test_fit import MODEL, TRAINING

config = type(TRAINING)(**{**TRAINING.__dict__, "deterministic": True, "epochs": 1})
for run in ("first", "second"):
    model, _ = fit.train(ExampleSet.open(sys.argv[1]), MODEL, config, f"{sys.argv[2]}/{run}")
    np.savez(f"{sys.argv[2]}/{run}.npz", *model.get_weights())
"""


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(tmp_path):
    # A process of its own, since determinism of ops cannot be switched off again.
    splits = {"train": 120, "validation": 40}
    examples = synthetic.write_example_set(str(tmp_path / "set"), splits=splits)
    paths = [examples.folder, str(tmp_path)]
    subprocess.run([sys.executable, "-c", TRAIN_TWICE, *paths], check=True)
    first, second = (np.load(tmp_path / f"{run}.npz") for run in ("first", "second"))
    assert len(first.files) > 20
    for name in first.files:
        np.testing.assert_array_equal(first[name], second[name])
    # Names are in the files too, and a process numbers layers over all its models.
    files = [sorted((tmp_path / run / "weights").iterdir()) for run in ("first", "second")]
    assert len(files[0]) == 2
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


@pytest.mark.slow
def test_the_best_weights_are_kept_when_later_ones_are_worse_and_patience_ends_it(tmp_path):
    examples = synthetic.write_example_set(str(tmp_path / "set"), inverted=["validation"])
    within = {"epochs": 1, "evaluations_per_epoch": 4, "patience": 1}
    config = TrainingConfig(**{**TRAINING.__dict__, **within})
    model, figures = fit.train(examples, MODEL, config, str(tmp_path / "model"))
    first, second = (row["val_auc"] for row in figures["history"])  # Of four, within the epoch.
    assert second < first - 5e-3
    for kept in (model, trained_model.read_trained_model(str(tmp_path / "model"))):
        scored = scoring.score(kept, examples, "validation")
        # Keras estimates the area with 2000 thresholds.
        assert metrics.auc(scored.label, scored.probability) == pytest.approx(first, abs=2e-3)


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_label_of_one_value_is_refused(examples, tmp_path, split, share):
    values = examples.manifest["splits"]
    positives = {"click": share * values[split]["candidates"]}
    splits = {**values, split: {**values[split], "positives": positives}}
    spoiled = dataclasses.replace(examples, manifest={**examples.manifest, "splits": splits})
    with pytest.raises(UserInputError, match=f"'click' is {share} for all .* of the {split} split"):
        fit.train(spoiled, MODEL, TRAINING, str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "sampled", "figures"),
    [
        pytest.param({"weighted": True}, (), "weighted", marks=pytest.mark.slow(seconds=13)),
        ({"downsampling": Downsampling("click", 0.2)}, ("train",), None),
        pytest.param(
            {"downsampling": Downsampling("click", 0.2)},
            ("train", "validation"),
            None,
            marks=pytest.mark.slow(seconds=13),
        ),
        (
            {"downsampling": Downsampling("click", 0.2), "weighted": True},
            ("train", "validation"),
            "weighted",
        ),
    ],
    ids=["weights", "train", "held out", "both"],
)
def test_progress_shows_the_metrics_of_the_whole_log_by_weight(
    tmp_path, monkeypatch, changes, sampled, figures
):
    """What selects the weights is what the evaluation says, on a held-out part of train too."""
    fits, fitted = [], calibration_fit.fit_calibration
    monkeypatch.setattr(
        calibration_fit, "fit_calibration", lambda *args: fits.append(fitted(*args)) or fits[-1]
    )
    schema = dataclasses.replace(synthetic.SCHEMA, **changes)
    splits = {"train": 60, "validation": 60}
    examples = synthetic.write_example_set(str(tmp_path / "set"), schema, splits)
    examples = dataclasses.replace(examples, downsampled=sampled)
    config = dataclasses.replace(TRAINING, epochs=1, evaluations_per_epoch=1)
    small = dataclasses.replace(MODEL, name="id_only")
    model, found = fit.train(examples, small, config, str(tmp_path / "model"))
    (row,) = found["history"]

    def evaluated():
        scored = scoring.score(model, examples, "validation")
        found = scoring.evaluate(scored, scoring.train_counts(examples))
        return found if figures is None else found[figures]

    scored = evaluated()
    assert row["val_logloss"] > scored["logloss"]  # Calibrated since.
    if schema.downsampling is not None:
        assert scored["calibration"] == pytest.approx(1, abs=1e-4)
    model.head.shift(-fits[0].shift)
    model.scale_logit(1 / fits[0].of_prior, 1 / fits[0].learned)
    before = evaluated()
    assert row["val_auc"] == pytest.approx(before["auc"], abs=2e-3)
    assert row["val_logloss"] == pytest.approx(before["logloss"], rel=1e-4)
    restored = trained_model.read_trained_model(str(tmp_path / "model"))
    assert restored.schema == schema
    plain = dataclasses.replace(examples, schema=schema.of_requests)
    trained_model.check_schema(restored, plain)
    with pytest.raises(UserInputError, match="was trained with the schema"):
        other = dataclasses.replace(schema, labels=("click", "like"))
        trained_model.check_schema(restored, dataclasses.replace(examples, schema=other))
