"""Records of a data set, and logged calls, drawn from files."""

import collections
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import tensorflow as tf

from features.errors import UserInputError
from features.records import decoded_example, record_files
from features.records.requests import RankingRequest
from features.schema import ExampleSchema
from serving_signatures.request_logs import logged_call, reading
from serving_signatures.request_logs.logged_call import LoggedCall

_Entry = TypeVar("_Entry")


@dataclasses.dataclass(frozen=True)
class Record:
    """A record and where it is.

    Attributes:
      data: its bytes.
      where: for a person to find it.
    """

    data: bytes
    where: str


def draw_records(paths: Sequence[str], count: int, seed: int) -> list[Record]:
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
    kept = _drawn(_records(paths), count, seed)
    if not kept:
        raise UserInputError(f"{list(paths)} hold no record.")
    return kept


def _records(paths: Sequence[str]) -> Iterator[Record]:
    for path in paths:
        try:
            for number, data in enumerate(record_files.read(path).as_numpy_iterator()):
                yield Record(data, f"{os.path.basename(path)}, record {number}")
        except tf.errors.OpError as error:
            raise UserInputError(
                f"{path!r} cannot be read as TFRecords: {error.message}. Give complete files."
            ) from error


def decode(schema: ExampleSchema, record: Record) -> RankingRequest:
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


def draw_calls(
    locations: Sequence[str], count: int, seed: int
) -> tuple[list[LoggedCall], dict[str, int]]:
    """Draws logged calls from TFRecords of PredictionLog.

    Args:
      locations: files, folders or globs.
      count: how many entries at most.
      seed: of the choice.

    Returns:
      The calls in the order of the files, and how many entries were left out, by reason: of
      another kind than Predict, without a response, or not whole.

    Raises:
      UserInputError: a file is not readable or not such a log, or nothing is left.
    """
    left_out = collections.Counter[str]()
    entries = _drawn(reading.records(reading.files(locations), left_out), count, seed)
    found = [logged_call.call(*one) for one in logged_call.parsed(entries, left_out)]
    if not found:
        raise UserInputError(
            f"{list(locations)} hold no Predict request with its response: {dict(left_out)}."
        )
    return found, dict(left_out)


def _drawn(entries: Iterable[_Entry], count: int, seed: int) -> list[_Entry]:
    """Draws entries in one pass, each as likely as any other, and keeps their order."""
    rng = np.random.default_rng(seed)
    kept: list[tuple[int, _Entry]] = []
    for seen, entry in enumerate(entries):
        # Reservoir sampling: entry n takes a place with probability count / (n + 1).
        place = seen if seen < count else int(rng.integers(seen + 1))
        if place < count:
            kept[place : place + 1] = [(seen, entry)]
    return [entry for _, entry in sorted(kept, key=lambda one: one[0])]
