"""Counts a vocabulary with Beam and publishes it."""

import json
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from absl import logging

from features.errors import UserInputError
from features.files import checked, manifest, storage
from features.id_kinds import KEY
from models.inputs.example_set import ExampleSet
from pipeline.publishing.publication import Publication
from pipeline.runtime import left_out
from pipeline.runtime.beam_options import parse_beam_options, running_pipeline
from pipeline.vocabulary.vocabulary_count import COUNTS, SUMMARY, VOCABULARY, CountVocabulary

_SPLIT = "train"


def build_vocabulary(
    examples: str,
    output: str,
    minimum_count: int = 2,
    maximum_size: int | None = None,
    beam_args: Sequence[str] = (),
) -> dict[str, Any]:
    """Counts the item ids of the train split, unless the same vocabulary is published already.

    Args:
      examples: folder that the join wrote.
      output: the folder to publish, local or remote.
      minimum_count: occurrences an id must have to be kept.
      maximum_size: how many of the most frequent ids to keep; ties go to the smaller id.
      beam_args: Beam's own flags.

    Returns:
      The manifest of the published vocabulary.

    Raises:
      UserInputError: no id is kept, a shard cannot be read, or the folder holds something else.
    """
    options = parse_beam_options(beam_args)
    opened = ExampleSet.open(examples)
    shards = opened.shards(_SPLIT)
    identity = {
        "parameters": {
            "split": _SPLIT,
            "minimum_count": minimum_count,
            "maximum_size": maximum_size,
        },
        "inputs": {"examples": checked.sha256(storage.join(examples, manifest.FILE_NAME))},
    }
    publication = Publication(output, identity)
    if (found := publication.existing()) is not None:
        logging.info("%s already holds this vocabulary: nothing to do.", output)
        return found
    with publication.staging() as building:
        with running_pipeline(options) as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "Vocabulary" >> CountVocabulary(building, minimum_count, maximum_size)
            )
        opened.verify(shards)  # A shard that was replaced meanwhile was counted.
        values = _manifest_values(building, minimum_count)
        published = publication.complete({**values, KEY: opened.schema.id_kinds.to_dict()})
    counts = published["counts"]
    logging.info(
        "Kept %d of %d ids, which make %.2f%% of %d occurrences in %d records. Published %s",
        counts["kept_ids"],
        counts["ids"],
        100 * counts["kept_occurrences"] / counts["occurrences"],
        counts["occurrences"],
        counts["records"],
        output,
    )
    rule = f"less frequent than --minimum_count {minimum_count}"
    if maximum_size is not None:
        rule += f" or than the first {maximum_size:,}, --maximum_size"
    left_out.log(
        "the vocabulary", {rule: counts["ids"] - counts["kept_ids"]}, counts["ids"], what="ids"
    )
    return published


def _manifest_values(building: str, minimum_count: int) -> dict[str, Any]:
    """Returns the manifest's values, and removes the temporary summary.

    Raises:
      UserInputError: a shard cannot be read, or no id is kept.
    """
    path = storage.join(building, SUMMARY)
    counts = json.loads(storage.read_bytes(path))
    storage.remove_file(path)
    if counts.get("unreadable"):
        raise UserInputError(
            f"Shards are not readable: {counts['unreadable']}. Copy the data set again, or join "
            "again."
        )
    if not counts["kept_ids"]:
        raise UserInputError(
            f"None of {counts['ids']} ids occurs --minimum_count {minimum_count} times in the "
            f"{counts['occurrences']} places of split {_SPLIT!r}. Lower it."
        )
    files = {
        name: {"sha256": checked.sha256(storage.join(building, name))}
        for name in (VOCABULARY, COUNTS)
    }
    return {
        "counts": counts,
        "files": files,
        "vocabulary": {VOCABULARY: {"ids": counts["kept_ids"], **files[VOCABULARY]}},
    }
