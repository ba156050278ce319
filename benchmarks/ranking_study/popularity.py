"""The reference that learns nothing: an item's smoothed rate in the train split."""

from typing import Any

import numpy as np

from benchmarks.ranking_study import candidate_columns
from features.ids import id_table
from models.evaluation.scoring import Scored
from models.inputs.example_set import ExampleSet

PRIOR_STRENGTH = 20.0
"""Number of an item's candidates at which its own rate has half the weight."""


def score(examples: ExampleSet, split: str) -> tuple[Scored, dict[str, Any]]:
    """Scores every candidate by its item's rate, shrunken towards the rate of all items.

    Args:
      examples: the data set.
      split: to score.

    Returns:
      The scored candidates, and the number of parameters.
    """
    label = examples.schema.primary_label
    train, scored = (
        candidate_columns.collect(
            examples, one, lambda batch: candidate_columns.identity(batch, label)
        )
        for one in ("train", split)
    )
    items, position = np.unique(train["item_id"], return_inverse=True)
    count = np.append(np.bincount(position), 0)
    positives = np.append(np.bincount(position, train["label"]), 0)
    prior = train["label"].mean()
    rate = (positives + PRIOR_STRENGTH * prior) / (count + PRIOR_STRENGTH)
    probability = rate[id_table.positions(scored["item_id"], items)]
    return candidate_columns.scored(scored, probability), {"parameters": len(items)}
