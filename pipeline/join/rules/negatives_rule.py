"""The rule of `--negatives`: how many candidates that were not shown, and by which weights."""

import dataclasses

from features.errors import UserInputError


@dataclasses.dataclass(frozen=True)
class NegativesRule:
    """How negatives are drawn.

    Attributes:
      weighting: `popularity`, by number of events on the days before, or `uniform`.
      count: negatives per event.
    """

    weighting: str
    count: int


def parse(text: str) -> NegativesRule:
    """Parses `popularity:4`.

    >>> parse("popularity:4")
    NegativesRule(weighting='popularity', count=4)

    Raises:
      UserInputError: the text has another form.
    """
    weighting, _, count = text.strip().partition(":")
    if weighting not in ("popularity", "uniform") or not count.isdigit() or not int(count):
        raise UserInputError(
            f"--negatives {text!r} must be popularity:K or uniform:K with K of at least 1, for "
            "instance popularity:4."
        )
    return NegativesRule(weighting, int(count))
