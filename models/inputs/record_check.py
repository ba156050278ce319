"""Finds the record that holds NaN or infinity, after a loss was not finite."""

import os

import numpy as np

from features.records import example, record_files
from features.schema import REQUEST_ID
from models.inputs.example_set import ExampleSet

_RECORDS_AT_ONCE = 512


def non_finite_record(examples: ExampleSet, split: str) -> str | None:
    """Reads a split until a record that holds NaN or infinity.

    Returns:
      A message with shard, record, request and feature; None if all numbers are finite.
    """
    for path in examples.shards(split):
        batches = record_files.read(path).batch(_RECORDS_AT_ONCE)
        for number, serialized in enumerate(batches):
            batch = example.parse_examples(examples.schema, serialized)
            for name, values in batch.items():
                if not values.dtype.is_floating:
                    continue
                finite = np.isfinite(values.numpy()).reshape(len(values), -1)
                bad = np.flatnonzero(~np.all(finite, axis=1))
                if len(bad):
                    return (
                        f"{os.path.basename(path)}, record {number * _RECORDS_AT_ONCE + bad[0]} "
                        f"(request_id {int(batch[REQUEST_ID][bad[0]])}) holds a number that is "
                        f"not finite in {name!r}"
                    )
    return None
