"""The input pipeline: from the shards of a data set to batches of parsed requests."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from features.records import example, record_files
from features.schema import ExampleSchema
from models.inputs.example_set import ExampleSet

EVALUATION_CANDIDATES = 1024
"""Candidates in a batch of evaluation."""

# One call per core. The thread that would tune their number sleeps for up to a minute between two
# looks, and TensorFlow 2.16 waits for it wherever an iterator ends: at every pass and evaluation.
_OPTIONS = tf.data.Options()
_OPTIONS.autotune.enabled = False

_CANDIDATE_EDGES = (2, 3, 5, 9, 17, 33, 65, 129)


def training_batches(
    examples: ExampleSet, split: str, batch_candidates: int, shuffle_buffer: int, seed: int
) -> tf.data.Dataset:
    """Returns one shuffled pass over a split, in an order determined by the seed.

    Requests with about the same number of candidates share a batch, so that one long request does
    not pad all others to its length. A batch holds about `batch_candidates` candidates.

    Args:
      examples: the data set.
      split: such as `train`.
      batch_candidates: candidates in a batch.
      shuffle_buffer: records that are shuffled together.
      seed: determines the order.
    """
    paths = examples.shards(split)
    records = _shuffled(tf.data.Dataset.from_tensor_slices(paths), len(paths), seed)
    read = tf.autograph.experimental.do_not_convert(record_files.read)
    records = records.interleave(read, cycle_length=4, block_length=16)
    records = _shuffled(records, shuffle_buffer, seed)
    batches = _bucketed(records, _records_by_bucket(examples, split), batch_candidates)
    # Rare long requests fill their batches last; without this shuffle they would end every pass.
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
    return _parsed(examples, _evaluation_records(examples, split, batch_candidates))


def serialized_batches(
    examples: ExampleSet, split: str, batch_candidates: int = EVALUATION_CANDIDATES
) -> tf.data.Dataset:
    """Returns the batches of `evaluation_batches`, each after its records `[R]` as they are."""
    return _parsed(examples, _evaluation_records(examples, split, batch_candidates), True)


def count_batches(
    examples: ExampleSet, split: str, batch_candidates: int = EVALUATION_CANDIDATES
) -> int:
    """Returns the number of batches in one pass over a split."""
    sizes = np.array(_batch_sizes(batch_candidates))
    return int(np.sum(-(-_records_by_bucket(examples, split) // sizes)))


def _evaluation_records(examples: ExampleSet, split: str, batch_candidates: int) -> tf.data.Dataset:
    """Returns batches of serialized records, always in the same order."""
    records = record_files.read_all(examples.shards(split))
    return _bucketed(records, _records_by_bucket(examples, split), batch_candidates)


def _shuffled(dataset: tf.data.Dataset, buffer: int, seed: int) -> tf.data.Dataset:
    """Shuffles in an order that is the same at every iteration of the result."""
    return dataset.shuffle(buffer, seed, reshuffle_each_iteration=False)


def _batch_sizes(batch_candidates: int) -> list[int]:
    """Returns the requests per batch, by bucket of the number of candidates."""
    return [max(1, batch_candidates // (edge - 1)) for edge in _CANDIDATE_EDGES] + [1]


def _records_by_bucket(examples: ExampleSet, split: str) -> np.ndarray:
    """Returns the records of a split, by bucket of the number of candidates."""
    records = np.zeros(len(_CANDIDATE_EDGES) + 1, np.int64)
    for candidates, count in examples.candidates_per_record(split).items():
        records[np.searchsorted(_CANDIDATE_EDGES, candidates, side="right")] += count
    return records


def _bucketed(
    records: tf.data.Dataset, by_bucket: np.ndarray, batch_candidates: int
) -> tf.data.Dataset:
    """Batches serialized records with about the same number of candidates."""
    buckets = np.flatnonzero(by_bucket)
    if len(buckets) == 1:
        # Finding the bucket of each record would take as long as all other reading.
        return records.batch(_batch_sizes(batch_candidates)[buckets[0]])
    return records.bucket_by_sequence_length(
        tf.autograph.experimental.do_not_convert(example.candidate_count),
        _CANDIDATE_EDGES,
        _batch_sizes(batch_candidates),
        no_padding=True,
    )


def _parsed(
    examples: ExampleSet, batches: tf.data.Dataset, with_serialized: bool = False
) -> tf.data.Dataset:
    parse = _parser(examples.schema)

    def both(records: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        return records, parse(records)

    parsed = batches.map(
        tf.autograph.experimental.do_not_convert(both if with_serialized else parse),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    ).prefetch(tf.data.AUTOTUNE)
    return parsed.with_options(_OPTIONS)


@functools.lru_cache(maxsize=8)
def _parser(schema: ExampleSchema) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns `example.parse_examples` of a schema, traced once for all passes of a process.

    A training makes five data sets of one schema, and tracing takes longer than reading a small
    split.
    """
    parse = functools.partial(example.parse_examples, schema)
    signature = [tf.TensorSpec([None], tf.string)]
    traced: Callable[[tf.Tensor], dict[str, tf.Tensor]] = tf.function(
        parse, input_signature=signature, autograph=False
    )
    return traced
