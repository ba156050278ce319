"""One dated part of a data set, opened as a data set to train on."""

import collections
import dataclasses
import zlib
from typing import Any

from features.errors import UserInputError
from features.files import manifest
from models.inputs import data_manifest, shard_reading
from models.inputs.example_set import ExampleSet
from models.inputs.shard_reading import Counts

_TRAIN, _VALIDATION, _TEST = "train", "validation", "test"


def open_part(examples: ExampleSet, part: str, with_test: bool = False) -> ExampleSet:
    """Opens one part: its records, and the vocabulary as of its end.

    Validation selects weights, but a part within the train split's range of time has no validation
    split. For such a part one of its train shards, the users of one partition, is held out as
    validation split. Each part holds out another partition, so no user is left out for good.

    Args:
      examples: the data set of all parts.
      part: the part's name in the manifest.
      with_test: hold out a further shard as test split, where the part has none.

    Raises:
      UserInputError: there is no such part, or its train split has no record or only one shard.
    """
    opened = find_part(examples, part)
    for split in (_VALIDATION, _TEST) if with_test else (_VALIDATION,):
        if not opened.manifest["splits"].get(split, {}).get("shards"):
            opened = hold_out_shard(opened, part, split)
    return opened


def find_part(examples: ExampleSet, part: str) -> ExampleSet:
    """Opens one part with the splits that it was joined with.

    Args:
      examples: the data set of all parts.
      part: the part's name in the manifest.

    Raises:
      UserInputError: there is no such part, or it was replaced.
    """
    parts = examples.manifest.get("parts")
    if parts is None or part not in parts:
        found = "it is no data set of parts" if parts is None else f"it has {parts}"
        raise UserInputError(f"--part {part!r} is not in {examples.folder!r}: {found}.")
    name = f"part={part}"
    opened = ExampleSet.open(manifest.below(examples.folder, name))
    for shard, entry in opened.manifest["shards"].items():
        if examples.manifest["shards"].get(f"{name}/{shard}") != entry:
            raise UserInputError(
                f"{opened.folder!r} has the shard {shard!r}, which the manifest of "
                f"{examples.folder!r} does not describe: the part was replaced. "
                f"{data_manifest.REMEDY}"
            )
    return opened


def hold_out_shard(examples: ExampleSet, part: str, split: str = _VALIDATION) -> ExampleSet:
    """Moves a train shard, the users of one partition, to another split.

    Args:
      examples: a data set, or a part of one.
      part: the part's name, whose hash chooses the shard.
      split: that receives the shard.

    Raises:
      UserInputError: the train split has only one shard.
    """
    paths = examples.shards(_TRAIN)
    if len(paths) < 2:
        raise UserInputError(
            f"--part {part!r} has no {split} split, and its train split is one shard, of which "
            "none can be held out. Join parts with --partitions of 2 or more, of 3 or more where "
            "a test split is held out too."
        )
    number = zlib.crc32(part.encode()) % len(paths)
    train = examples.manifest["splits"][_TRAIN]
    names = train["shards"]
    counted = shard_reading.count(paths[number], examples.schema)
    held = {name: counts for name, counts in counted.items() if name in train}
    rest = {name: collections.Counter(train[name]) for name in held}
    for name, counts in held.items():
        rest[name].subtract(counts)  # Unlike the - operator it keeps zeros.
    splits = {
        **examples.manifest["splits"],
        _TRAIN: _split(names[:number] + names[number + 1 :], rest),
        split: _split([names[number]], held),
    }
    return dataclasses.replace(
        examples,
        manifest={**examples.manifest, "splits": splits},
        downsampled=tuple(dict.fromkeys((_TRAIN, *examples.downsampled, split))),
    )


def _split(shards: list[str], counts: Counts) -> dict[str, Any]:
    """Returns a split's entry in the manifest."""
    records = counts["candidates_per_record"]
    return {
        "shards": shards,
        "records": records.total(),
        "candidates": sum(int(candidates) * one for candidates, one in records.items()),
        **{name: dict(values) for name, values in counts.items()},
    }
