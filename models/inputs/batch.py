"""A batch of parsed requests, and its parts by name."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from features.schema import (
    HISTORY_MASK,
    HISTORY_RESIDUAL,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    Modality,
    similarity_feature,
)
from models.inputs.behaviors import Behaviors

Batch = Mapping[str, tf.Tensor]
"""Parsed requests by feature name, as `features.records.example.parse_examples` returns them."""


def behaviors_of(batch: Batch) -> Behaviors:
    """Returns mask, time gap, type and residual of a batch's behaviors."""
    return Behaviors(
        batch[HISTORY_MASK],
        batch[HISTORY_TIME_GAP],
        batch[HISTORY_TYPE],
        batch.get(HISTORY_RESIDUAL),
    )


def codes_of(batch: Batch, modalities: Sequence[Modality]) -> dict[str, tf.Tensor]:
    """Returns a batch's similarity codes by modality, each `[R, C, L]` uint8."""
    return {modality.name: batch[similarity_feature(modality.name)] for modality in modalities}
