"""The weight of each candidate: the record's, and what a sampled negative stands for."""

import tensorflow as tf

from features.schema import CANDIDATE_SAMPLE_WEIGHT, ExampleSchema
from models.inputs.batch import Batch
from models.inputs.example_set import ExampleSet


def weights_of(batch: Batch, schema: ExampleSchema) -> tf.Tensor | None:
    """Returns the candidates' weights, `[R, C]`; None where each counts once."""
    # Elsewhere the name may be that of an item's column.
    may_be_there = schema.weighted or schema.downsampling is not None
    return batch.get(CANDIDATE_SAMPLE_WEIGHT) if may_be_there else None


def of_whole_log(batches: tf.data.Dataset, examples: ExampleSet, split: str) -> tf.data.Dataset:
    """Weighs batches of a split so that metrics of them are metrics of the whole log.

    Where negatives were left out with a share r kept, each that is there stands for 1 / r of them.

    Args:
      batches: parsed requests of the split.
      examples: the data set.
      split: of the batches.
    """
    sampled = examples.downsampling(split)
    if sampled is None:
        return batches

    def weighted(batch: Batch) -> dict[str, tf.Tensor]:
        label = batch[sampled.label]
        weight = tf.where(label > 0, 1.0, 1 / sampled.rate)
        return {
            **batch,
            CANDIDATE_SAMPLE_WEIGHT: weight * batch.get(CANDIDATE_SAMPLE_WEIGHT, 1.0),
        }

    return batches.map(tf.autograph.experimental.do_not_convert(weighted))
