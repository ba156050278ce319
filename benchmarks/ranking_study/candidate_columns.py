"""Values of every candidate of a split, computed from its records in NumPy."""

from collections.abc import Callable, Mapping

import numpy as np

from features.schema import CANDIDATE_ITEM_ID, CANDIDATE_MASK, HISTORY_MASK
from models.evaluation.scoring import Scored
from models.inputs import input_pipeline
from models.inputs.example_set import ExampleSet

Batch = Mapping[str, np.ndarray]
"""Parsed requests by feature name, see `features.records.example`."""

IDENTITY = ("user_id", "item_id", "timestamp", "label", "history_length")
"""User, item, time, outcome and number of behaviors of a candidate."""


def collect(
    examples: ExampleSet,
    split: str,
    compute: Callable[[Batch], Mapping[str, np.ndarray]] = lambda batch: {},
) -> dict[str, np.ndarray]:
    """Returns columns `[N, ...]` over the candidates, in the order of `evaluation.score`.

    Args:
      examples: the data set.
      split: such as `validation`.
      compute: from a batch to columns `[R, C, ...]` besides `IDENTITY`, padding included.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for tensors in input_pipeline.evaluation_batches(examples, split):
        batch = {name: tensor.numpy() for name, tensor in tensors.items()}
        columns = {**_identity(batch, examples.schema.primary_label), **compute(batch)}
        for name, values in columns.items():
            parts.setdefault(name, []).append(values[batch[CANDIDATE_MASK]])
    return {name: np.concatenate(found) for name, found in parts.items()}


def _identity(batch: Batch, label: str) -> dict[str, np.ndarray]:
    shape = batch[CANDIDATE_MASK].shape
    length = batch[HISTORY_MASK].sum(1, dtype=np.int64)
    return {
        "user_id": np.broadcast_to(batch["user_id"][:, None], shape),
        "item_id": batch[CANDIDATE_ITEM_ID],
        "timestamp": np.broadcast_to(batch["timestamp"][:, None], shape),
        "label": batch[label],
        "history_length": np.broadcast_to(length[:, None], shape),
    }


def scored(columns: Mapping[str, np.ndarray], probability: np.ndarray) -> Scored:
    """Returns the candidates of `collect` with their predictions, `[N]`."""
    user, item, _, label, length = (columns[name] for name in IDENTITY)
    return Scored(user, item, label, probability.astype(np.float32), length)
