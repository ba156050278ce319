"""Models of records that lack negatives, and probabilities of the whole log all the same.

With the share r of a label's negatives, the odds in the records are 1 / r times those in the log:
a model trained on them is right about the log after `log(r)` is added to its logit (He et al.,
"Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014, section 6.3).

This holds for the label whose negatives were left out. It holds for pCTCVR = pCTR * pCVR too, where
only a positive of that label converts: no positive was left out, so pCVR, the rate among them, is
that of the log, and pCTR is corrected before the product. It holds for no other label, and others
are refused.
"""

from collections.abc import Mapping
from typing import Any

from features.errors import UserInputError
from features.schema import ExampleSchema


def logit_shift(schema: ExampleSchema) -> float:
    """Returns what to add to the main label's logit, 0 where no negatives were left out."""
    return 0.0 if schema.downsampling is None else schema.downsampling.logit_shift


def check_label(label: str, schema: ExampleSchema) -> None:
    """Raises `UserInputError` for a main label whose probability cannot be corrected."""
    sampled = schema.downsampling
    if sampled is not None and label != sampled.label:
        raise UserInputError(
            f"model.label is {label!r}, but the records hold {sampled.rate:g} of the negatives of "
            f"{sampled.label!r}, and only the probability of that label can be corrected. Set "
            f"model.label={sampled.label}, or join with --downsample_negatives "
            f"{label}={sampled.rate:g} or without."
        )


def check_conversions(label: str, conversion_label: str, manifest: Mapping[str, Any]) -> None:
    """Raises `UserInputError` where negatives of the main label that were sampled convert.

    Args:
      label: the main label.
      conversion_label: the label of conversions.
      manifest: of the records.
    """
    counts = manifest.get("counts", {}).get("downsampling", {})
    if found := counts.get("positives", {}).get(conversion_label, 0):
        raise UserInputError(
            f"{found:,} negatives of {label!r} are positives of {conversion_label!r}, and records "
            "hold only a share of them: the probability of both cannot be corrected. Join with a "
            f"{conversion_label!r} that only positives of {label!r} have, or without "
            "--downsample_negatives."
        )
