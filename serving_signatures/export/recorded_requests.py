"""Training records as a client would send them to `score_request`."""

from collections.abc import Sequence

import numpy as np

from features.records.example import Request
from features.schema import (
    HISTORY_RESIDUAL,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ExampleSchema,
    candidate_feature,
    context_feature,
)
from serving_signatures.export.sample_requests import Arrays, SampleRequests


def recorded_requests(
    schema: ExampleSchema,
    records: Sequence[bytes],
    requests: Sequence[Request],
    vectors: dict[str, Arrays] | None = None,
) -> SampleRequests:
    """Returns records as they are, and by their ids.

    Their similarity codes come from the join, so scoring them by ids compares the join's codes
    with those that the graph computes.

    Args:
      schema: of the records.
      records: R serialized Examples, R >= 1.
      requests: what `decoded_example.decode_request` reads out of them.
      vectors: by modality, float32 `candidate` `[R, C, M]` and `history` `[R, L, M]`, with C and
        L the most of any record, for a model that is sent vectors.
    """
    context: Arrays = {}
    for side in ("candidate", "history"):
        ids = [getattr(request, f"{side}_item_id") for request in requests]
        context[f"{side}_mask"] = padded([np.ones(len(one), bool) for one in ids])
    names = [
        HISTORY_TIME_GAP,
        HISTORY_TYPE,
        *([HISTORY_RESIDUAL] if schema.has_residuals else []),
    ]
    for name in names:
        context[name] = padded([getattr(request, name) for request in requests])
    for one in schema.item_features:
        values = [request.item_features[one.name] for request in requests]
        context[candidate_feature(one.name)] = padded(values)
    for one in schema.context_features:
        values = [request.context_features[one.name] for request in requests]
        context[context_feature(one.name)] = np.stack(values)
    return SampleRequests(list(records), context, item_ids(requests), vectors or {})


def item_ids(requests: Sequence[Request]) -> Arrays:
    """Returns the item ids of R requests, int64 `candidate` `[R, C]` and `history` `[R, L]`."""
    return {
        side: padded([getattr(request, f"{side}_item_id") for request in requests])
        for side in ("candidate", "history")
    }


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks R arrays `[n, ...]` of several lengths, zeros behind the shorter ones."""
    longest = max(len(row) for row in rows)
    stacked = np.zeros((len(rows), longest, *rows[0].shape[1:]), rows[0].dtype)
    for target, row in zip(stacked, rows, strict=True):
        target[: len(row)] = row
    return stacked
