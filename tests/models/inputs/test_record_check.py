"""A loss that is not finite ends training with a message that names the record or the setting."""

import dataclasses
import math
import os

import pytest
import tensorflow as tf

from features.errors import UserInputError
from models.inputs import record_check
from models.training import fit
from tests import synthetic
from tests.models.training.test_resume import MODEL, TRAINING

STEPS = dataclasses.replace(TRAINING, deterministic=False, epochs=1)


@pytest.fixture
def examples(tmp_path):
    splits = {"train": 120, "validation": 40}
    return synthetic.write_example_set(str(tmp_path / "set"), splits=splits)


def spoil(path: str, number: int) -> int:
    """Puts a NaN into the first price of a record, and returns its request id."""
    records = [record.numpy() for record in tf.data.TFRecordDataset(path)]
    record = tf.train.Example.FromString(records[number])
    record.features.feature["candidate_price"].float_list.value[0] = math.nan
    records[number] = record.SerializeToString()
    size = os.path.getsize(path)
    with tf.io.TFRecordWriter(path) as writer:
        for one in records:
            writer.write(one)
    assert os.path.getsize(path) == size
    return record.features.feature["request_id"].int64_list.value[0]


def test_where_all_records_are_finite_none_is_named(examples):
    assert record_check.non_finite_record(examples, "train") is None


def test_the_record_is_named(examples):
    request = spoil(examples.shards("train")[1], 5)
    examples = synthetic.describe_shards(examples.folder)
    with pytest.raises(UserInputError) as raised:
        fit.train(examples, MODEL, STEPS, os.path.join(examples.folder, "model"))
    assert (
        f"train-00001-of-00003.tfrecord, record 5 (request_id {request}) holds a number that is "
        "not finite in 'candidate_price'"
    ) in str(raised.value)
    assert "The loss at step" in str(raised.value)


def test_steps_that_are_too_large_are_named(examples, tmp_path):
    config = dataclasses.replace(STEPS, learning_rate=1e30, learning_rate_decay="none")
    with pytest.raises(UserInputError, match=r"Every record is finite.*rate, now 1e\+30"):
        fit.train(examples, MODEL, config, str(tmp_path / "model"))
