"""The join of events of every role, one at a time in plain Python, without the job's code.

Beside candidates there are rows that set a label (`role` names it) and behaviors that were given
or that happened before (`role` "prior"). Negatives are not drawn here: tests hold them to rules.
"""

import collections
import dataclasses

from tests.pipeline.join import oracle

CANDIDATE, PRIOR = "candidate", "prior"
FATES = ("attributed", "duplicate", "late", "unmatched")


@dataclasses.dataclass
class Event:
    """A row; times in seconds, `place` orders those of one instant."""

    user: object
    item: object
    time: float
    place: tuple
    request: object = None
    role: str = CANDIDATE
    behavior: bool = False
    type: int = 0
    gap: bool = True
    split: str = ""
    labels: dict = dataclasses.field(default_factory=dict)


def distinct(events):
    """Returns the first of equal events, and how many there were beside."""
    kept, seen = [], set()
    for event in sorted(events, key=lambda one: one.place):
        values = dataclasses.asdict(event)
        key = str(sorted((name, str(value)) for name, value in values.items() if name != "place"))
        if key not in seen or event.role == PRIOR:
            seen.add(key)
            kept.append(event)
    return kept, len(events) - len(kept)


def attribute(candidates, comers, window, by_request):
    """Sets the label's candidates by looking at every pair; returns positions and fates.

    Args:
      candidates: dicts or Events with user, item, request, time, in order.
      comers: likewise, the label events.
      window: inclusive, in the unit of time.
      by_request: whether the request must be the same.
    """
    positive, fates = set(), [None] * len(comers)
    for n in sorted(range(len(comers)), key=lambda n: (comers[n].time, n)):
        event = comers[n]
        nearest = None
        for k, candidate in enumerate(candidates):
            same = (candidate.user, candidate.item) == (event.user, event.item)
            same = same and (not by_request or candidate.request == event.request)
            if not same or candidate.time > event.time:
                continue
            if nearest is None or candidate.time >= candidates[nearest].time:
                nearest = k
        if nearest is None:
            fates[n] = "unmatched"
        elif event.time - candidates[nearest].time > window:
            fates[n] = "late"
        else:
            fates[n] = "duplicate" if nearest in positive else "attributed"
            positive.add(nearest)
    return positive, fates


def attribute_labels(events, windows, by_request):
    """Sets labels in place; returns the events that remain and the fates by label.

    Args:
      events: distinct ones.
      windows: seconds by label.
      by_request: by label, whether label events name the request.
    """
    fates = {}
    ordered = sorted(events, key=lambda one: (one.time, one.place))
    for label, window in windows.items():
        candidates = [one for one in ordered if one.role == CANDIDATE]
        comers = [one for one in ordered if one.role == label]
        positive, found = attribute(candidates, comers, window, by_request[label])
        for k, candidate in enumerate(candidates):
            candidate.labels[label] = int(k in positive)
        fates[label] = collections.Counter(found)
    kept = [one for one in events if one.role in (CANDIDATE, PRIOR) or one.behavior]
    return kept, fates


def records(events, split_of, *, labels, length, delay=0, most=10**9):
    """Returns a Counter of comparable records, each with its split first.

    Args:
      events: distinct ones, labels set.
      split_of: from a request's candidates, in order, to the split, None for none.
      labels: names.
      length: L.
      delay: seconds.
      most: candidates per record.
    """
    by_user = collections.defaultdict(list)
    for event in events:
        by_user[event.user].append(event)
    found = collections.Counter()
    for user, own in by_user.items():
        own.sort(key=lambda one: (one.time, one.place))
        requests = collections.defaultdict(list)
        for one in own:
            if one.role == CANDIDATE:
                requests[one.time if one.request is None else one.request].append(one)
        for candidates in requests.values():
            moment = candidates[0].time
            split = split_of(candidates)
            if split is None:
                continue
            past = [one for one in own if one.behavior and one.time < moment - delay][-length:]
            for low in range(0, len(candidates), most):
                part = candidates[low : low + most]
                found[
                    (
                        split,
                        oracle.int64(user),
                        moment * 1_000_000,
                        tuple(oracle.int64(one.item) for one in past),
                        tuple(moment - one.time if one.gap else 0 for one in past),
                        tuple(one.type for one in past),
                        tuple(oracle.int64(one.item) for one in part),
                        *(tuple(one.labels[name] for one in part) for name in labels),
                    )
                ] += 1
    return found


def by_fractions(events, fractions=(0.7, 0.1, 0.2)):
    """Returns `split_of` for global fractions of all candidates read, duplicates among them."""
    times = sorted(one.time for one in events if one.role == CANDIDATE)
    bounds = [round(sum(fractions[: n + 1]) * len(times)) for n in range(2)]
    cuts = [times[bound] if bound < len(times) else float("inf") for bound in bounds]

    def split_of(candidates):
        names = ("train", "validation", "test")
        return names[sum(candidates[0].time >= cut for cut in cuts)]

    return split_of


def read(output, labels, splits=("train", "validation", "test")):
    """Returns what a join wrote, as `records` does."""
    found = collections.Counter()
    for split in splits:
        for shard in oracle.read_records(output, split).values():
            for record in shard:
                names = ("history_item_id", "history_time_gap", "history_type", "candidate_item_id")
                found[
                    (
                        split,
                        record["user_id"][0],
                        record["timestamp"][0],
                        *(tuple(record[name]) for name in (*names, *labels)),
                    )
                ] += 1
    return found


def freeze(record):
    """Returns a parsed record with every feature of it, to be counted."""
    return tuple(sorted((name, tuple(values)) for name, values in record.items()))


def everything(folder, split="*"):
    """Returns a Counter of a folder's records with all features."""
    shards = oracle.read_records(folder, split).values()
    return collections.Counter(freeze(record) for shard in shards for record in shard)
