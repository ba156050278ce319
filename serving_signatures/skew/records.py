"""Records, drawn from files."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from features.errors import UserInputError
from features.records import decoded_example
from features.records.example import Request
from features.schema import ExampleSchema


@dataclasses.dataclass(frozen=True)
class Record:
    """A record and where it is.

    Attributes:
      data: its bytes.
      where: for a person to find it.
    """

    data: bytes
    where: str


def draw(paths: Sequence[str], count: int, seed: int) -> list[Record]:
    """Draws records from TFRecord files in one pass, each as likely as any other.

    Args:
      paths: of the files.
      count: how many at most.
      seed: of the choice; the same files and seed give the same records.

    Returns:
      The records in the order of the files.

    Raises:
      UserInputError: a file is not readable, or all are empty.
    """
    rng = np.random.default_rng(seed)
    kept: list[tuple[int, Record]] = []
    seen = 0
    for path in paths:
        try:
            for number, data in enumerate(tf.data.TFRecordDataset(path).as_numpy_iterator()):
                place = seen if seen < count else int(rng.integers(seen + 1))
                if place < count:
                    one = seen, Record(data, f"{os.path.basename(path)}, record {number}")
                    kept[place : place + 1] = [one]
                seen += 1
        except tf.errors.OpError as error:
            raise UserInputError(
                f"{path!r} cannot be read as TFRecords: {error.message}. Give uncompressed, "
                "complete files."
            ) from error
    if not kept:
        raise UserInputError(f"{list(paths)} hold no record.")
    return [record for _, record in sorted(kept, key=lambda one: one[0])]


def decode(schema: ExampleSchema, record: Record) -> Request:
    """Decodes a record.

    Raises:
      UserInputError: it does not fit the schema.
    """
    try:
        return decoded_example.decode_request(schema, record.data)
    except ValueError as error:
        raise UserInputError(
            f"{record.where} is not a record of the model's schema: {error}. Give records that "
            "were joined with the labels, embeddings and side features of the training."
        ) from error
