"""The usual sizes of requests that were really served, and the slowest, from a request log."""

import collections
import dataclasses
import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from features.errors import UserInputError
from features.records.requests import Arrays
from features.schema import CANDIDATE_MASK, HISTORY_MASK
from serving_signatures import call_size, names
from serving_signatures.request_logs import logged_call, reading
from serving_signatures.request_logs.reading import NoRequestsError, Place
from serving_signatures.signatures import ServingSignatures

QUANTILES = (0.5, 0.9, 0.99)
"""Of the requests by the pairs that they count as; each gives a size."""

MOST_READ = 10_000
"""The newest calls of a log, which are enough for its quantiles."""

_SCORING = (names.SCORE_REQUEST, names.SCORE_CACHED)
_TRIES = 4

_Size = tuple[int, int]
"""C and L, with padding: what a graph runs."""


class ServedSize(NamedTuple):
    """A size of requests, and requests of it.

    Attributes:
      candidates: C.
      behaviors: L.
      why: it was taken, for a person.
      inputs: by name, `[r, ...]` of r requests, without those that were redacted.
    """

    candidates: int
    behaviors: int
    why: str
    inputs: Arrays


@dataclasses.dataclass(frozen=True)
class ServedRequests:
    """What a log says of the requests to expect.

    Attributes:
      requests: how many calls were looked at.
      sizes: the usual ones, then the slowest.
      left_out: how many entries were of no use, by reason.
    """

    requests: int
    sizes: tuple[ServedSize, ...]
    left_out: Mapping[str, int]


class _Seen(NamedTuple):
    size: _Size
    pairs: int
    place: Place
    is_by_ids: bool
    seconds: float | None


def read(locations: Sequence[str], signatures: ServingSignatures, rows: int) -> ServedRequests:
    """Chooses sizes from the newest calls of a log.

    Args:
      locations: files, globs or folders.
      signatures: of the version that is to be warmed up; calls that it could not answer are left
        out.
      rows: how many requests of each size are wanted.

    Raises:
      NoRequestsError: a location holds no log, or no call that the version could answer.
    """
    left_out = collections.Counter[str]()
    reasons: list[str] = []
    seen = list(itertools.islice(_seen(locations, signatures, left_out, reasons), MOST_READ))
    if not seen:
        raise NoRequestsError(
            f"{list(locations)} hold no request that this version could answer: {dict(left_out)}. "
            f"{''.join(reasons)}Give a log of clients of this model, or leave it out."
        )
    sizes = []
    for size, why in _chosen(seen).items():
        inputs = _inputs([one for one in seen if one.size == size], rows)
        if inputs is None:
            left_out["of a tensor that cannot be read"] += 1
        else:
            sizes.append(ServedSize(*size, why, inputs))
    return ServedRequests(len(seen), tuple(sizes), dict(left_out))


def _seen(
    locations: Sequence[str],
    signatures: ServingSignatures,
    left_out: collections.Counter[str],
    reasons: list[str],
) -> Iterator[_Seen]:
    """Yields the calls that the version could answer, those of the newest files first."""
    entries = reading.records(reading.files(locations)[::-1], left_out)
    for place, record in logged_call.parsed(entries, left_out):
        request = record.log.predict_log.request
        if (problem := _problem(request, signatures)) is not None:
            left_out["that this version could not answer"] += 1
            if not reasons:
                name = request.model_spec.name
                reasons.append(f"{place} is a call of model {name!r}, {problem}. ")
            continue
        (_, candidates), (_, behaviors) = (
            _shape(request.inputs[name]) for name in (CANDIDATE_MASK, HISTORY_MASK)
        )
        pairs = call_size.pairs(1, candidates, behaviors, signatures.bound.histograms)
        if not candidates or pairs > signatures.bound.max_pairs:
            left_out["without candidates, or larger than --max_pairs"] += 1
            continue
        is_by_ids = request.model_spec.signature_name == names.SCORE_REQUEST
        yield _Seen((candidates, behaviors), pairs, place, is_by_ids, record.seconds)


def _problem(request: Any, signatures: ServingSignatures) -> str | None:
    """Returns why a version could not answer a call, None if it could."""
    name = request.model_spec.signature_name or names.SERVING_DEFAULT
    if name not in _SCORING or name not in signatures.functions:
        there = sorted(set(_SCORING) & set(signatures.functions))
        return f"signature {name!r}, expected one of {there}"
    specs = signatures.functions[name].structured_input_signature[1]
    if other := sorted(specs.keys() ^ request.inputs.keys()):
        return f"signature {name!r}, with inputs that only one of log and version has: {other}"
    for key, spec in specs.items():
        tensor = request.inputs[key]
        shape = _shape(tensor)
        is_known = not tensor.tensor_shape.unknown_rank and min(shape, default=0) >= 0
        is_alike = tensor.dtype == spec.dtype.as_datatype_enum
        if not (is_known and is_alike and spec.shape.is_compatible_with(shape)):
            return (
                f"signature {name!r}, whose {key} has dtype {tensor.dtype} and shape {shape}, "
                f"expected {spec.dtype.as_datatype_enum} and {spec.shape}"
            )
    return None


def _shape(tensor: Any) -> list[int]:
    return [dimension.size for dimension in tensor.tensor_shape.dim]


def _chosen(seen: Sequence[_Seen]) -> dict[_Size, str]:
    """Returns why each size was chosen, in the order of their importance."""
    found: dict[_Size, str] = {}
    ordered = sorted(seen, key=lambda one: (one.pairs, one.size))
    for share in QUANTILES:
        one = ordered[math.ceil(share * len(ordered)) - 1]
        found.setdefault(one.size, f"percentile {100 * share:.0f} of {len(seen)} requests")
    times = collections.defaultdict(list)
    for one in seen:
        if one.seconds is not None:
            times[one.size].append(one.seconds)
    if times:
        # A median: the first requests of a process are slow whatever their size.
        slowest, seconds = max(
            ((size, statistics.median(each)) for size, each in times.items()),
            key=lambda one: (one[1], one[0]),
        )
        found.setdefault(slowest, f"the slowest size, {1000 * seconds:.1f} ms in the median")
    return found


def _inputs(seen: Sequence[_Seen], rows: int) -> Arrays | None:
    """Returns inputs of up to `rows` requests of one size, None where none can be read."""
    is_by_ids = any(one.is_by_ids for one in seen)
    calls: list[Arrays] = []
    count = 0
    for one in [one for one in seen if one.is_by_ids == is_by_ids][: _TRIES * rows]:
        if count >= rows:
            break
        data = reading.record_at(one.place)
        again = [] if data is None else [(one.place, data)]
        for where, record in logged_call.parsed(again, collections.Counter()):
            try:
                call = logged_call.call(where, record)
            except UserInputError:
                continue
            calls.append(
                {name: value for name, value in call.inputs.items() if name not in call.redacted}
            )
            count += len(call.inputs[CANDIDATE_MASK])
    if not count:
        return None
    shared = set.intersection(*(set(call) for call in calls))
    return {name: np.concatenate([call[name] for call in calls])[:rows] for name in sorted(shared)}
