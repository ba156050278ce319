"""Probabilities of requests, taken from an answer of a scoring signature."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from features.arrays import Array
from features.records.requests import Arrays
from features.schema import CANDIDATE_MASK
from serving_signatures import names
from serving_signatures.client.answer_errors import UnexpectedAnswerError
from serving_signatures.client.remote_model import Answer


@dataclasses.dataclass(frozen=True)
class Scored:
    """Probabilities of requests.

    Attributes:
      probabilities: by label, one `[c]` float32 array per request.
      version: the version that computed them.
      signature: `score_cached` or `score_request`.
    """

    probabilities: Mapping[str, list[Array]]
    version: int
    signature: str


def scored(answer: Answer, batch: Arrays, signature: str) -> Scored:
    """Returns an answer without the padding.

    Raises:
      UnexpectedAnswerError: it has other outputs than one finite number per candidate and label.
    """
    mask = batch[CANDIDATE_MASK]
    labels = {name: one for name, one in answer.outputs.items() if name != names.MASK}
    if not labels:
        raise UnexpectedAnswerError(f"{signature}: expected scores, received no output of a label.")
    for label, values in labels.items():
        if values.shape != mask.shape or values.dtype.kind != "f":
            raise UnexpectedAnswerError(
                f"{signature}: expected {label} as floats of shape {list(mask.shape)}, received "
                f"{values.dtype.name} of shape {list(values.shape)}."
            )
        if not np.isfinite(values[mask]).all():
            raise UnexpectedAnswerError(f"{signature}: {label} holds NaN or infinity.")
    counts = mask.sum(axis=1)
    return Scored(
        {
            label: [row[:count] for row, count in zip(values, counts, strict=True)]
            for label, values in labels.items()
        },
        answer.version,
        signature,
    )
