"""From the shards of a data set to batches of parsed requests."""

import functools

import numpy as np
import tensorflow as tf

from features.records import example
from models.inputs.example_set import ExampleSet

EVALUATION_CANDIDATES = 1024
"""Candidates in a batch that is only scored."""

_CANDIDATE_EDGES = (2, 3, 5, 9, 17, 33, 65, 129)


def training_batches(
    examples: ExampleSet, split: str, batch_candidates: int, shuffle_buffer: int, seed: int
) -> tf.data.Dataset:
    """Returns one shuffled pass over a split, in an order that the seed decides.

    Requests of about the same number of candidates share a batch, so that one long request
    does not pad all others to its length; a batch holds about `batch_candidates` candidates.

    Args:
      examples: the data set.
      split: such as `train`.
      batch_candidates: candidates in a batch.
      shuffle_buffer: records shuffled at once.
      seed: of the order.
    """
    paths = examples.shards(split)
    records = _shuffled(tf.data.Dataset.from_tensor_slices(paths), len(paths), seed)
    records = records.interleave(tf.data.TFRecordDataset, cycle_length=4, block_length=16)
    records = _shuffled(records, shuffle_buffer, seed)
    batches = _bucketed(records, _records_by_bucket(examples, split), batch_candidates)
    # The rare long requests fill their batches last; without this they would end every pass.
    batches = _shuffled(batches, -(-shuffle_buffer // batch_candidates), seed)
    return _parsed(examples, batches)


def evaluation_batches(
    examples: ExampleSet, split: str, batch_candidates: int = EVALUATION_CANDIDATES
) -> tf.data.Dataset:
    """Returns one pass over a split, always in the same order.

    Args:
      examples: the data set.
      split: such as `validation`.
      batch_candidates: candidates in a batch.
    """
    records = tf.data.TFRecordDataset(examples.shards(split))
    batches = _bucketed(records, _records_by_bucket(examples, split), batch_candidates)
    return _parsed(examples, batches)


def count_batches(
    examples: ExampleSet, split: str, batch_candidates: int = EVALUATION_CANDIDATES
) -> int:
    """Returns how many batches one pass over a split gives."""
    sizes = np.array(_batch_sizes(batch_candidates))
    return int(np.sum(-(-_records_by_bucket(examples, split) // sizes)))


def _shuffled(dataset: tf.data.Dataset, buffer: int, seed: int) -> tf.data.Dataset:
    """Shuffles in the same order however often the result is iterated."""
    return dataset.shuffle(buffer, seed, reshuffle_each_iteration=False)


def _batch_sizes(batch_candidates: int) -> list[int]:
    """Returns the requests in a batch, by bucket of the number of candidates."""
    return [max(1, batch_candidates // (edge - 1)) for edge in _CANDIDATE_EDGES] + [1]


def _records_by_bucket(examples: ExampleSet, split: str) -> np.ndarray:
    """Returns how many records of a split are in each bucket of the number of candidates."""
    records = np.zeros(len(_CANDIDATE_EDGES) + 1, np.int64)
    for candidates, count in examples.candidates_per_record(split).items():
        records[np.searchsorted(_CANDIDATE_EDGES, candidates, side="right")] += count
    return records


def _bucketed(
    records: tf.data.Dataset, by_bucket: np.ndarray, batch_candidates: int
) -> tf.data.Dataset:
    """Batches serialized records with others of about as many candidates."""
    buckets = np.flatnonzero(by_bucket)
    if len(buckets) == 1:
        # Looking for the bucket of each record takes as long as all other reading.
        return records.batch(_batch_sizes(batch_candidates)[buckets[0]])
    return records.bucket_by_sequence_length(
        tf.autograph.experimental.do_not_convert(example.candidate_count),
        _CANDIDATE_EDGES,
        _batch_sizes(batch_candidates),
        no_padding=True,
    )


def _parsed(examples: ExampleSet, batches: tf.data.Dataset) -> tf.data.Dataset:
    parse = functools.partial(example.parse_examples, examples.schema)
    return batches.map(
        tf.autograph.experimental.do_not_convert(parse),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    ).prefetch(tf.data.AUTOTUNE)
