"""What a call counts as, in pairs of a candidate and a behavior, and the most that is answered.

R requests of C candidates and L behaviors count as R x C x L pairs, and as 64 more for each
request, candidate and behavior. A candidate has a histogram of similarities for each modality and
behavior type, which counts as 32. N items of a projection signature count as 64 each.
"""

from typing import Any

DEFAULT_MAX_PAIRS = 20_000_000
"""Nearly two full batches: 8 requests of 1,200 candidates and 1,000 behaviors are 11 to 13 million.

The demo's model takes at most 0.9 GiB for one call.
"""

FLAG = "--max_pairs"

EACH = 64
"""What a request, a candidate or a behavior costs besides the pairs, in pairs."""

HISTOGRAM = 32
"""What a histogram of 256 numbers costs, in pairs."""


def pairs(requests: Any, candidates: Any, behaviors: Any, histograms: int) -> Any:
    """Returns what a call counts as, of numbers or of tensors.

    Args:
      requests: R.
      candidates: C.
      behaviors: L.
      histograms: of a candidate, modalities times behavior types.

    >>> 8 * pairs(1, 1200, 1000, 2)
    11341312
    """
    alone = EACH * (candidates + behaviors + 1) + HISTOGRAM * histograms * candidates
    return requests * (candidates * behaviors + alone)
