"""Attribution of label events, clicks for instance, to the candidates that they belong to.

A label event belongs to the latest candidate of the same user and item, and of the same request
where label events carry request ids, that was shown at its time or before. It counts if it came
within the window; the first that does sets the label, later ones are duplicates. pyarrow's
`join_asof` is not used: it leaves open which of several candidates of one instant it takes.
"""

import dataclasses

import numpy as np

AFTER_PART = "after_part"

OUTCOMES = ("attributed", "duplicate", "late", "unmatched", AFTER_PART)
"""Outcomes of a label event, by code: it set a label, the label was set already, it came after
the window, there was no such candidate, or an earlier part had written it."""

_ATTRIBUTED, _DUPLICATE, _LATE, _UNMATCHED, _AFTER_PART = range(len(OUTCOMES))


@dataclasses.dataclass(frozen=True)
class Attribution:
    """The outcomes of label events.

    Attributes:
      positive: `[E]` bool, candidates whose label these events set.
      known: `[E]` int64 microseconds of the event that set the label; without one the
        candidate's own.
      outcome: `[N]` int8, the position in `OUTCOMES` of each label event's.
    """

    positive: np.ndarray
    known: np.ndarray
    outcome: np.ndarray


@dataclasses.dataclass(frozen=True)
class Shown:
    """The columns that candidates and label events are matched by; `[N]` int64 each.

    Attributes:
      user: ids.
      item: ids.
      request: ids; None to match by user, item and time alone.
      time: microseconds.
    """

    user: np.ndarray
    item: np.ndarray
    request: np.ndarray | None
    time: np.ndarray


def attribute(
    candidates: Shown,
    events: Shown,
    window: int,
    is_set: np.ndarray | None = None,
    is_written: np.ndarray | None = None,
) -> Attribution:
    """Attributes the events of one label.

    Args:
      candidates: `[E]`.
      events: `[N]`; those of one instant count in their order.
      window: microseconds, inclusive.
      is_set: `[E]` bool, candidates whose label an earlier part of the log set; None for none.
      is_written: `[E]` bool, candidates that an earlier part wrote; None for none.

    Raises:
      ValueError: one side has request ids and the other has none.
    """
    if (candidates.request is None) != (events.request is None):
        raise ValueError("Either both candidates and label events have request ids, or neither.")
    nearest = _latest_candidate(candidates, events)
    found = nearest >= 0
    age = events.time - candidates.time[nearest] if candidates.time.size else events.time
    in_time = found & (age <= window)
    outcome = np.full(len(nearest), _UNMATCHED, np.int8)
    outcome[found] = _LATE
    outcome[in_time] = _DUPLICATE
    inside = np.flatnonzero(in_time if is_set is None else in_time & ~_of(is_set, nearest))
    # Of three events on candidate 4 the earliest sets the label: `chosen` has 4 once, and `first`
    # is its place in `by_time`.
    by_time = inside[np.argsort(events.time[inside], kind="stable")]
    chosen, first = np.unique(nearest[by_time], return_index=True)
    outcome[by_time[first]] = _ATTRIBUTED
    if is_written is not None:
        outcome[(outcome == _ATTRIBUTED) & _of(is_written, nearest)] = _AFTER_PART
    positive = np.zeros(len(candidates.time), bool)
    positive[chosen] = True
    known = candidates.time.copy()
    known[chosen] = events.time[by_time[first]]
    return Attribution(positive, known, outcome)


def _of(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Returns the values at some places, False at -1."""
    return np.append(values, False)[places]


def _latest_candidate(candidates: Shown, events: Shown) -> np.ndarray:
    """Returns the position of each event's latest candidate not after it, -1 for none."""
    shown = len(candidates.time)
    user, item, time = (
        np.concatenate([getattr(candidates, name), getattr(events, name)])
        for name in ("user", "item", "time")
    )
    keys = [user, item]
    if candidates.request is not None and events.request is not None:
        keys.append(np.concatenate([candidates.request, events.request]))
    # Candidates and events of one pair sorted by time, candidates first at one instant: c10 e10 e15
    # c20 e25. The running maximum of candidates' places is 0 0 0 3 3: the events at 10 and 15
    # belong to the first candidate, the one at 25 to the second.
    is_event = np.arange(len(time)) >= shown
    order = np.lexsort((is_event, time, *keys))
    group_start = np.zeros(len(order), bool)  # The first place starts one anyway.
    for key in keys:
        group_start[1:] |= key[order][1:] != key[order][:-1]
    places = np.arange(len(order))
    start = np.maximum.accumulate(np.where(group_start, places, 0))
    last = np.maximum.accumulate(np.where(is_event[order], -1, places))
    nearest = np.where(last >= start, order[last], -1)
    result = np.empty(len(order), np.int64)
    result[order] = nearest
    return result[shown:]
