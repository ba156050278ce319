"""What a call counts as, in pairs of a candidate and a behavior, and the most that is answered.

R requests of C candidates and L behaviors count as R x C x L pairs, and as 64 more for each
request, candidate and behavior. N items of a projection signature count as 64 each.
"""

from typing import Any

from features.errors import UserInputError

DEFAULT_MAX_PAIRS = 20_000_000
"""Nearly two full batches: 8 requests of 1,200 candidates and 1,000 behaviors are 10.7 million.

The demo's model takes at most 0.9 GiB for one call.
"""

FLAG = "--max_pairs"

EACH = 64
"""What a request, a candidate or a behavior costs besides the pairs, in pairs."""


def pairs(requests: Any, candidates: Any, behaviors: Any) -> Any:
    """Returns what a call counts as, of numbers or of tensors.

    >>> 8 * pairs(1, 1200, 1000)
    10726912
    """
    return requests * (candidates * behaviors + EACH * (candidates + behaviors + 1))


def check(max_pairs: int, shape: tuple[int, int, int]) -> None:
    """Checks that an export's own requests are within its bound.

    Args:
      max_pairs: the most that a call may count as.
      shape: R, C, L of what is called.

    Raises:
      UserInputError: they are not.
    """
    if (count := pairs(*shape)) > max_pairs:
        requests, candidates, behaviors = shape
        raise UserInputError(
            f"{FLAG} {max_pairs} is too small: the gate and the warm-up call the version with "
            f"{requests} requests of {candidates} candidates and {behaviors} behaviors, which "
            f"count as {count}. Give at least {count}."
        )
