"""Training day by day, each from the model before on its own part, is what it would be by hand."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from features.errors import UserInputError
from models import factory
from models.inputs import input_pipeline
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training import fit, optimizers
from models.training.computed import calibration_fit
from models.training.config import TrainingConfig
from models.training.passes import TrainingInput
from pipeline.training_runs import training_inputs
from tests.pipeline.join.three_days import DAY, DAYS, Source, random_days

# One evaluation, so that the best weights are the last ones.
MODEL = ModelConfig(
    name="id_only",
    embedding_width=4,
    head_width=3,
    hidden=(5,),
    id_dropout=0.0,
    oov_buckets=2,
    prior_strength=0.0,
)
# Adam would make steps of the float noise of gradients that are zero, such as that of a key that
# all behaviors share.
TRAINING = TrainingConfig(
    batch_candidates=16,
    batches_of="requests",
    epochs=1,
    evaluations_per_epoch=1,
    learning_rate_decay="linear",
    averaging=0.0,
    optimizer="adagrad",
    learning_rate=0.05,
    bucket_learning_rate=1e-3,
)
SPLITS = f"train:..{3 * DAY + DAY // 2},validation:{3 * DAY + DAY // 2}..{4 * DAY},test:{4 * DAY}.."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    source = Source(tmp_path_factory.mktemp("grown"), random_days(0), True)
    source.grown(splits=SPLITS)
    return str(source.folder / "out")


def opened(folder, day):
    return training_inputs.open_examples(folder, None, MODEL, day)


def records(examples, split):
    return list(tf.data.TFRecordDataset(examples.shards(split)).as_numpy_iterator())


@pytest.mark.parametrize("day", DAYS[:2])
def test_a_part_inside_the_train_split_holds_out_one_partition(folder, day):
    part, whole = opened(folder, day), ExampleSet.open(f"{folder}/part={day}")
    train, held = records(part, "train"), records(part, "validation")
    assert train and held and sorted(train + held) == sorted(records(whole, "train"))
    for split in ("train", "validation"):
        batches = list(input_pipeline.evaluation_batches(part, split, 16))
        assert input_pipeline.count_batches(part, split, 16) == len(batches)
        shown = sum(c * n for c, n in part.candidates_per_record(split).items())
        assert shown == sum(int(np.sum(one["candidate_mask"])) for one in batches)
        clicks = sum(float(np.sum(one["click"])) for one in batches)
        values = part.manifest["splits"][split]
        assert (values["candidates"], values["positives"]["click"]) == (shown, clicks)
    users = [
        {
            int(user)
            for one in input_pipeline.evaluation_batches(part, split)
            for user in one["user_id"]
        }
        for split in ("train", "validation")
    ]
    assert not users[0] & users[1]
    np.testing.assert_array_equal(part.vocabulary(), whole.vocabulary())


def test_a_part_with_a_validation_split_keeps_it(folder):
    part = opened(folder, "d3")
    assert part.manifest == ExampleSet.open(f"{folder}/part=d3").manifest
    assert part.downsampled == ("train",)


def test_what_is_held_out_of_train_lacks_the_same_negatives(folder):
    assert opened(folder, "d1").downsampled == ("train", "validation")


def test_a_part_that_is_not_there_or_cannot_hold_out_is_refused(folder, tmp_path):
    with pytest.raises(UserInputError, match=r"'d9' is not in .*it has \['d1', 'd2', 'd3'\]"):
        opened(folder, "d9")
    with pytest.raises(UserInputError, match="no data set of parts"):
        opened(f"{folder}/part=d1", "d1")
    Source(tmp_path, random_days(0), True).join("d1", splits=SPLITS, partitions=1)
    with pytest.raises(UserInputError, match="partitions of 2 or more"):
        opened(str(tmp_path / "out"), "d1")


def by_hand(examples, earlier):
    """One day: weights copied with NumPy, row by row, and a loop over the day's batches."""
    keras.utils.set_random_seed(TRAINING.seed)
    model = factory.build_model(MODEL, examples.schema, examples.vocabulary())
    if earlier is not None:
        table, theirs = model.item_embedding.table.numpy(), earlier.item_embedding
        rows = dict(zip(theirs.vocabulary.tolist(), theirs.table.numpy()[2:], strict=True))
        table[:2] = theirs.table.numpy()[:2]
        for place, item in enumerate(model.item_embedding.vocabulary.tolist()):
            unknown = theirs.table.numpy()[theirs.rows(tf.constant(item, tf.int64)).numpy()]
            table[2 + place] = rows.get(item, unknown)
        own = model.item_embedding.variables
        for mine, other in zip(model.weights, earlier.weights, strict=True):
            if not any(mine is one for one in own):
                mine.assign(other)
        model.item_embedding.table.assign(table)
    data = TrainingInput(examples, TRAINING)
    optimizer = optimizers.build_optimizer(model, TRAINING, data.steps)
    for batch in data.one_pass(0):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch, training=True)
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    calibration_fit.fit_calibration(model, examples)
    return model


@pytest.mark.slow(seconds=25)
def test_day_by_day_gives_the_weights_that_it_gives_by_hand(folder, tmp_path):
    earlier = None
    for number, day in enumerate(DAYS):
        examples = opened(folder, day)
        model_dir = str(tmp_path / day)
        start = training_inputs.find_start("last" if number else None, model_dir)
        trained, figures = fit.train(examples, MODEL, TRAINING, model_dir, start=start)
        hand = by_hand(examples, earlier)
        assert figures["steps"] > 1
        for mine, other in zip(trained.weights, hand.weights, strict=True):
            np.testing.assert_allclose(mine, other, atol=2e-5, err_msg=f"{day} {mine.name}")
        if earlier is not None:
            heads = (hand.head.weights[0], earlier.head.weights[0])
            assert np.abs(np.subtract(*heads)).max() > 1e-3
            assert len(hand.item_embedding.vocabulary) > len(earlier.item_embedding.vocabulary)
        earlier = hand
