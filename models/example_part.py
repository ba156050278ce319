"""One part of a data set that grows, as a data set to train on."""

import dataclasses
import zlib

import numpy as np
import tensorflow as tf

from features import example, storage
from features.errors import UserInputError
from models.example_set import ExampleSet

_TRAIN, _VALIDATION = "train", "validation"


def open_part(examples: ExampleSet, part: str) -> ExampleSet:
    """Opens a part by itself: its records, and the vocabulary as of its end.

    Validation selects weights, and a part that lies within the train split's range of time has no
    validation split. There one of its train shards becomes that: the users of one partition are
    held out, another one with each part, so that nobody is left out for good.

    Args:
      examples: the data set of all parts.
      part: a name that its manifest has.

    Raises:
      UserInputError: there is no such part, it has no train record, or one shard of them only.
    """
    parts = examples.manifest.get("parts")
    if parts is None or part not in parts:
        found = "it is no data set of parts" if parts is None else f"it has {parts}"
        raise UserInputError(f"--part {part!r} is not in {examples.folder!r}: {found}.")
    opened = ExampleSet.open(storage.join(examples.folder, f"part={part}"))
    if opened.manifest["splits"].get(_VALIDATION, {}).get("shards"):
        return opened
    return hold_out_shard(opened, part)


def hold_out_shard(examples: ExampleSet, part: str) -> ExampleSet:
    """Moves a train shard, the users of one partition, to the validation split.

    Args:
      examples: a data set, or a part of one.
      part: a name, by which the shard is chosen.

    Raises:
      UserInputError: the train split is one shard only.
    """
    paths = examples.shards(_TRAIN)
    if len(paths) < 2:
        raise UserInputError(
            f"--part {part!r} has no validation split, and its train split is one shard, of which "
            "none can be held out. Join parts with --partitions of 2 or more."
        )
    train = examples.manifest["splits"][_TRAIN]
    held = zlib.crc32(part.encode()) % len(paths)
    counts = _candidates_per_record(paths[held])
    rest = {
        int(candidates): records - counts.get(int(candidates), 0)
        for candidates, records in train["candidates_per_record"].items()
    }
    names = train["shards"]
    splits = {
        **examples.manifest["splits"],
        _TRAIN: _split(names[:held] + names[held + 1 :], rest, train),
        _VALIDATION: _split([names[held]], counts, train),
    }
    return dataclasses.replace(examples, manifest={**examples.manifest, "splits": splits})


def _split(shards: list[str], counts: dict[int, int], whole: dict) -> dict:
    """Returns a split's entry; whether a label has positives is that of the whole."""
    filled = {str(candidates): records for candidates, records in counts.items() if records}
    return {
        "shards": shards,
        "records": sum(counts.values()),
        "candidates": sum(candidates * records for candidates, records in counts.items()),
        "candidates_per_record": filled,
        "positives": whole.get("positives", {}),
    }


def _candidates_per_record(path: str) -> dict[int, int]:
    """Counts a shard's records by their candidates, in one pass over it."""
    records = tf.data.TFRecordDataset(path)
    count = tf.autograph.experimental.do_not_convert(example.candidate_count)
    found = np.fromiter(records.map(count).as_numpy_iterator(), np.int64)
    sizes, occurrences = np.unique(found, return_counts=True)
    return dict(zip(sizes.tolist(), occurrences.tolist(), strict=True))
