"""The same records scored by two exports."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from models.evaluation import scoring
from models.evaluation.scoring import Prediction, Scored
from models.inputs import example_part, input_pipeline
from models.inputs.batch import Batch
from models.inputs.example_set import ExampleSet
from pipeline.version_gate.comparison import HeldOut, Task
from serving_signatures import call_size, names
from serving_signatures.versions import exported_version
from serving_signatures.versions.loaded_version import LoadedVersion, reason

_SPLITS = ("test", "validation")


class UnscorableError(Exception):
    """A version does not score the records; the message says why."""


def open_records(
    examples: ExampleSet, part: str | None, split: str | None
) -> tuple[ExampleSet, str]:
    """Returns the data set, or a part of it, and the split to score.

    Of a part without the split, what is held out of it is that split: `validation` of every
    training on it, `test` of the daily cycle's, see `example_part.open_part`.

    Args:
      examples: the data set.
      part: its only part to score; None for all.
      split: None for `test`, or `validation` where nothing is in `test`.

    Raises:
      UserInputError: there is no such part, or the split is empty.
    """
    opened = examples if part is None else example_part.find_part(examples, part)
    filled = [name for name in _SPLITS if opened.manifest["splits"].get(name, {}).get("shards")]
    split = split or (filled or ["validation"])[0]
    if part is not None and split in _SPLITS and split not in filled:
        opened = example_part.open_part(examples, part, with_test=split == "test")
    opened.paths(split)
    return opened, split


def train_counts(examples: ExampleSet, part: ExampleSet) -> tuple[np.ndarray, np.ndarray]:
    """Returns `scoring.train_counts` of a part, or of the data set where the part trains nothing.

    Args:
      examples: the data set.
      part: what is scored, the same or a part of it.
    """
    has_train = part.manifest["splits"].get("train", {}).get("shards")
    return scoring.train_counts(part if has_train else examples)


def score(
    versions: Sequence[LoadedVersion],
    examples: ExampleSet,
    split: str,
    counts: tuple[np.ndarray, np.ndarray],
    max_users: int,
) -> HeldOut:
    """Scores a split with the challenger, and with the champion if there is one.

    Args:
      versions: the challenger, and the champion or nothing.
      examples: the data set.
      split: of it.
      counts: what `train_counts` returned.
      max_users: of more users, as many are drawn, each with all candidates.

    Raises:
      UnscorableError: a version refuses the records.
      UserInputError: the records are not of a version's schema.
    """
    size = batch_candidates(versions)
    scored = [_score(one, examples, split, size) for one in versions]
    mine = scored[0]
    tasks, theirs = _predictions(mine), (_predictions(one) for one in scored[1:])
    champion = next(theirs, {})
    chosen = _of_drawn_users(mine.scored.user_id, max_users)
    stands_for = mine.scored.stands_for
    return HeldOut(
        mine.scored.user_id[chosen],
        {
            label: Task(
                one.label[chosen],
                one.probability[chosen],
                champion[label].probability[chosen] if label in champion else None,
            )
            for label, one in tasks.items()
        },
        {
            slicing: {name: one[chosen] for name, one in slices.items()}
            for slicing, slices in scoring.slices(mine.scored, counts).items()
        },
        None if stands_for is None else stands_for[chosen],
        tuple(sorted(champion.keys() - tasks.keys())),
    )


def batch_candidates(versions: Sequence[LoadedVersion]) -> int:
    """Returns how many candidates a call of every version may have, whatever their requests are."""
    return min(_batch_candidates(one) for one in versions)


class _Scored(NamedTuple):
    main: str
    scored: Scored


def _predictions(one: _Scored) -> dict[str, Prediction]:
    main = Prediction(one.scored.label, one.scored.probability)
    return {one.main: main, **one.scored.conversions}


def _score(version: LoadedVersion, examples: ExampleSet, split: str, size: int) -> _Scored:
    examples.check_fits(version.schema)
    signature = version.signatures[names.SERVING_DEFAULT]
    labels = [name for name in signature.structured_outputs if name != names.MASK]
    # Manifests of earlier releases name no label.
    main: str = exported_version.read_values(version.folder).get("label") or labels[0]

    def predict(records: tf.Tensor, batch: Batch) -> dict[str, tf.Tensor]:
        del batch
        outputs = signature(**{names.EXAMPLES: records})
        return {label: outputs[label] for label in labels}

    try:
        return _Scored(main, scoring.score_by(predict, main, examples, split, size))
    except tf.errors.InvalidArgumentError as error:
        raise UnscorableError(f"version {version.version}: {reason(error)}") from error


def _batch_candidates(version: LoadedVersion) -> int:
    schema = version.schema
    most = exported_version.read_values(version.folder).get("max_pairs", math.inf)
    histograms = len(schema.modalities) * schema.behavior_types
    each = call_size.pairs(1, 1, schema.history_length, histograms)
    return max(1, int(min(input_pipeline.EVALUATION_CANDIDATES, most // each)))


def _of_drawn_users(user_ids: np.ndarray, most: int) -> np.ndarray:
    """Returns which candidates, `[N]` bool, are of the users that are compared."""
    users = np.unique(user_ids)
    if len(users) <= most:
        return np.ones(len(user_ids), bool)
    drawn = np.random.default_rng(0).choice(users, most, replace=False)
    return np.isin(user_ids, drawn)
