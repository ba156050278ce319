"""Conversions predicted over all impressions (ESMM), not over clicked impressions alone.

After Ma et al., "Entire Space Multi-Task Model: An Effective Approach for Estimating
Post-Click Conversion Rate", SIGIR 2018 (arXiv 1804.07931). Clicked impressions are a biased sample,
so the tower for pCVR, the rate of conversion after a click, is not trained on them alone. The loss
compares pCTCVR = pCTR * pCVR with the label of every impression.
"""

from collections.abc import Mapping

import tensorflow as tf

from features.errors import UserInputError
from features.schema import ExampleSchema


def joint_logit(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the logit of the product of two probabilities, from their logits.

        logit(p q) = -log(exp(-a) + exp(-b) + exp(-a - b))   for p = sigmoid(a), q = sigmoid(b)

    The product's log loss is then computed from a logit, without `log(p q)` or `log(1 - p q)`:
    loss and gradients stay finite, however confident the towers are. The result is never above
    either logit.

    Args:
      first: a, of any shape.
      second: b, of the same shape.
    """
    return -tf.reduce_logsumexp(tf.stack([-first, -second, -first - second]), axis=0)


def check_conversion_label(conversion_label: str, label: str, schema: ExampleSchema) -> None:
    """Raises `UserInputError` unless the records have the label and it is not the main one."""
    others = [one for one in schema.labels if one != label]
    if conversion_label == label:
        raise UserInputError(
            f"model.conversion_label is {label!r}, which is model.label too. It must be a label "
            f"that only a positive of {label!r} can have; the records' other labels are {others}."
        )
    if conversion_label not in schema.labels:
        raise UserInputError(
            f"model.conversion_label is {conversion_label!r}, but the records' labels besides "
            f"{label!r} are {others}. Set it to one of them, or join with "
            f"--labels {label},{conversion_label}."
        )


def check_positives(conversion_label: str, label: str, positives: Mapping[str, int]) -> None:
    """Raises `UserInputError` if the two labels are swapped.

    Args:
      conversion_label: the label that only a positive of the main label can have.
      label: the main label.
      positives: the train split's, by label; without one of the two nothing is checked.
    """
    if {conversion_label, label} <= positives.keys() and (
        positives[conversion_label] > positives[label]
    ):
        raise UserInputError(
            f"model.conversion_label is {conversion_label!r} with {positives[conversion_label]:,} "
            f"positives in the train split, but only a positive of {label!r} can have it, and "
            f"there are {positives[label]:,} of those. Did you mean model.label={conversion_label} "
            f"and model.conversion_label={label}?"
        )
