"""The inputs of a training: joined examples and the model to start from."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from features.embeddings import item_coverage
from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.files import manifest, storage
from features.ids import coverage, id_table
from features.tables.options import DEFAULT, TableOptions
from models import trained_model
from models.inputs.example_part import open_part
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from pipeline.embedding_sets import embedding_inputs

LAST = "last"


def open_examples(
    folder: str,
    vocabulary: str | None,
    config: ModelConfig,
    part: str | None = None,
    min_coverage: float = coverage.DEFAULT,
) -> ExampleSet:
    """Opens the data set to train on.

    Args:
      folder: written by the join.
      vocabulary: folder or file of the ids that get a row of their own; None for the join's.
      config: of the model.
      part: the only part to train on, of a data set of parts; None for all.
      min_coverage: the least share that a given vocabulary and the join's have in common, of the
        smaller one: a vocabulary of frequent ids is far smaller, one of a longer log larger.

    Raises:
      UserInputError: something does not exist, or the model could not use it.
    """
    examples = ExampleSet.open(folder)
    if part is not None:
        examples = open_part(examples, part)
    if vocabulary is None:
        return examples
    if config.hashed_buckets:
        raise UserInputError(
            f"--vocabulary and model.hashed_buckets={config.hashed_buckets} do not go together: "
            "hashed ids have no vocabulary. Leave one of them out."
        )
    chosen = examples.with_vocabulary(vocabulary)
    _check_shared(f"--vocabulary {vocabulary!r}", chosen.vocabulary(), examples, min_coverage)
    return chosen


def read_vectors(
    locations: Mapping[str, str | Sequence[str]],
    examples: ExampleSet,
    min_coverage: float,
    options: TableOptions = DEFAULT,
) -> dict[str, EmbeddingSet]:
    """Reads embedding sets to train with, by modality.

    Args:
      locations: embedding set by modality: folders, files or globs.
      examples: the data set to train on.
      min_coverage: the least share of the vocabulary's items that have a vector.
      options: how the sets are read.

    Raises:
      UserInputError: a set is not valid, or is of other items than the examples.
    """
    embeddings = embedding_inputs.read_all(locations, options)
    item_coverage.check(
        embeddings,
        examples.vocabulary() if embeddings else None,
        examples.schema.id_kinds.item,
        "the examples",
        "items of the vocabulary",
        min_coverage,
    )
    return embeddings


def find_start(warm_start: str | None, model_dir: str) -> str | None:
    """Returns the folder of the model to start from.

    `last` is the last complete model by name, not by time: a training that is run again then
    starts from the same model. Give folders names that sort by date: `models/2026-05-02`.

    Args:
      warm_start: a folder, `last`, or None for no warm start.
      model_dir: the folder to write.

    Raises:
      UserInputError: both are the same folder, or there is no earlier model beside it.
    """
    if warm_start is None:
        return None
    folder = os.path.abspath(model_dir)
    if warm_start == LAST:
        parent, own = os.path.split(folder)
        names = sorted(os.listdir(parent)) if os.path.isdir(parent) else []
        earlier = [name for name in names if name < own and _is_complete(parent, name)]
        if not earlier:
            raise UserInputError(
                f"--warm_start last: no complete model in {parent!r} has a name before {own!r}. "
                "Train the first one without --warm_start, under a name that sorts first."
            )
        return os.path.join(parent, earlier[-1])
    if not storage.is_remote(warm_start) and os.path.abspath(warm_start) == folder:
        raise UserInputError(
            f"--warm_start and --model_dir are both {model_dir!r}, which would overwrite the "
            "model to start from. Give --model_dir a new name."
        )
    return warm_start


def check_start(start: str | None, examples: ExampleSet, min_coverage: float) -> None:
    """Refuses to start from a model of other items.

    Args:
      start: the model's folder, None for no warm start.
      examples: the data set to train on.
      min_coverage: the least share that both vocabularies have in common, of the smaller one.

    Raises:
      UserInputError: they have less in common.
    """
    if start is not None and storage.is_file(path := storage.join(start, trained_model.VOCABULARY)):
        earlier = id_table.read_vocabulary(path)
        _check_shared(f"--warm_start {start!r}", earlier, examples, min_coverage)


def _check_shared(
    subject: str, item_ids: np.ndarray, examples: ExampleSet, min_coverage: float
) -> None:
    """Refuses `[N]` ids that share too few of the smaller vocabulary, theirs or the examples'."""
    own = examples.vocabulary()
    shared = len(np.intersect1d(own, item_ids, assume_unique=True))
    things = "items of the smaller vocabulary are in the other too"
    coverage.check(subject, shared, min(len(own), len(item_ids)), things, min_coverage)


def _is_complete(parent: str, name: str) -> bool:
    return os.path.isfile(os.path.join(parent, name, manifest.FILE_NAME))
