"""Faults of shards that show while records are read, and what a shard holds when all is read."""

import collections
import contextlib
import re
from collections.abc import Iterator, Sequence

import tensorflow as tf

from features.errors import RetryError, UserInputError
from features.records import example, record_files
from features.schema import CANDIDATE_MASK, ExampleSchema
from models.inputs import data_manifest
from models.inputs.example_set import ExampleSet

_RECORDS_AT_ONCE = 1024
FAULTS = (
    *(tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.FailedPreconditionError),
    *(tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError),
)
"""What TensorFlow raises where a file, or a record in it, is not as expected."""

Counts = dict[str, collections.Counter[str]]
"""The counters of a split's entry in the manifest, by name."""


@contextlib.contextmanager
def guarded(examples: ExampleSet, paths: Sequence[str]) -> Iterator[None]:
    """Lets nothing pass that was read from a shard which was damaged or replaced meanwhile.

    `ExampleSet.shards` compares shards with the manifest before they are read. Here they are
    compared again after the block, which costs nothing where no shard was written since; and
    where TensorFlow cannot read a record, the shard is found and named.

    Args:
      examples: the data set.
      paths: of its shards that are read in the block.

    Raises:
      UserInputError: a shard changed while it was read, or holds other records than the manifest
        says; names it.
      RetryError: a record could not be read, and now all can.
    """
    try:
        yield
    except FAULTS as error:
        if not _is_of_records(error):
            raise
        _find(examples, paths)
        if isinstance(error, tf.errors.OutOfRangeError):
            raise UserInputError(
                f"The shards of {examples.folder!r} have fewer candidates than "
                f"candidates_per_record of the manifest says. {data_manifest.REMEDY}"
            ) from error
        raise RetryError(
            f"A record of {examples.folder!r} could not be read ({_short(error)}), and now its "
            "shards are as the manifest says. Run the job again."
        ) from error
    examples.verify(paths)


def count(path: str, schema: ExampleSchema) -> Counts:
    """Counts a shard's records by number of candidates, and the positives of each label.

    Raises:
      UserInputError: the shard cannot be read, or its records do not fit the schema.
    """
    records: collections.Counter[str] = collections.Counter()
    positives: collections.Counter[str] = collections.Counter(dict.fromkeys(schema.labels, 0))
    try:
        for serialized in record_files.read(path).batch(_RECORDS_AT_ONCE):
            batch = example.parse_examples(schema, serialized)
            mask = batch[CANDIDATE_MASK].numpy()
            records.update(str(candidates) for candidates in mask.sum(axis=1))
            for label in schema.labels:
                positives[label] += int((batch[label].numpy()[mask] > 0).sum())
    except FAULTS as error:
        raise UserInputError(
            f"Shard {path!r} cannot be read: {_short(error)}. {data_manifest.REMEDY}"
        ) from error
    return {"candidates_per_record": records, "positives": positives}


def _find(examples: ExampleSet, paths: Sequence[str]) -> None:
    """Raises `UserInputError` where a shard is not what the manifest says; reads them all."""
    examples.verify(paths)
    for path in paths:
        found = count(path, examples.schema)["candidates_per_record"].total()
        declared = examples.records(path)
        if found != declared:
            raise UserInputError(
                f"Shard {path!r} has {found} records, but the manifest says {declared}. "
                f"{data_manifest.REMEDY}"
            )


def _is_of_records(error: tf.errors.OpError) -> bool:
    """Whether the input pipeline raised it, and not an op of the model."""
    return isinstance(error, tf.errors.DataLossError) or any(
        op in str(error) for op in ("IteratorGetNext", "ParseExample", "End of sequence")
    )


def _short(error: tf.errors.OpError) -> str:
    """Returns TensorFlow's message without the names of its nodes."""
    text = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", error.message, flags=re.DOTALL)
    return text.strip().partition("\n")[0].rstrip(".")
