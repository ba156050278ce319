"""Preparing a partition's events: duplicates out, negatives in, labels attributed."""

import numpy as np
import pyarrow as pa

from pipeline.join.inputs.duplicates import first_of_duplicates
from pipeline.join.inputs.item_counts import ItemCounts
from pipeline.join.inputs.log_columns import SHOWN, Role
from pipeline.join.partition import attribution, contradictions, held_requests, negatives
from pipeline.join.plan import JoinPlan
from pipeline.join.rules.negatives_rule import NegativesRule
from pipeline.join.transport import summary


def prepare(
    events: pa.Table, plan: JoinPlan, items: ItemCounts | None = None, last: int | None = None
) -> tuple[pa.Table, summary.Summary]:
    """Prepares a partition's events to become requests.

    Args:
      events: everything that was read of the partition's users, in any order.
      plan: of the join.
      items: the log's items, where negatives are drawn.
      last: microseconds of the log's last event, where requests wait for labels.

    Returns:
      The events, `[E]` by user, time, file and row, where a negative follows the event it
      belongs to; and counts of dropped events, of candidates whose rows disagree and of the
      outcomes of label events.
    """
    kept = first_of_duplicates(*_arrays(events, "user", "time", "content", "file", "row"))
    counts: summary.Summary = {"dropped": {"duplicate": len(events) - len(kept)}}
    events = events.take(pa.array(kept)).combine_chunks()
    if plan.options.wait_for_labels:
        if last is None:
            raise ValueError("Requests wait for labels after the log's last event: give that.")
        events = _with_waiting(events, plan.options.longest_window, last)
    if disagreeing := _contradictions(events, plan):
        counts["contradictions"] = disagreeing
    # First, since attribution drops label events, and what was clicked is no negative.
    rule = plan.options.negatives_rule
    if rule is not None:
        if items is None:
            raise ValueError("Negatives need the log's items.")
        events, drawn = _with_negatives(events, rule, items)
        counts = summary.merge(counts, drawn)
    if plan.options.attributed:
        events, outcomes = _attribute(events, plan)
        counts = summary.merge(counts, outcomes)
    return events, counts


def _with_waiting(events: pa.Table, window: int, last: int) -> pa.Table:
    """Gives candidates of requests for whose labels events may still come another role."""
    user, request, time, role = _arrays(events, "user", "request", "time", "role")
    shown = np.flatnonzero(role == Role.CANDIDATE)
    latest = held_requests.latest_of_request(user[shown], request[shown], time[shown])
    return _replaced(events, "role", shown[latest + window > last], Role.WAITING)


def _contradictions(events: pa.Table, plan: JoinPlan) -> dict[str, int]:
    """Returns by label the candidates whose rows disagree; attributed labels are not set yet."""
    labels = [name for name in plan.schema.labels if name not in plan.options.attributed]
    if not labels:
        return {}
    shown = events["role"].to_numpy() == Role.CANDIDATE
    user, item, request, *values = (
        one[shown]
        for one in _arrays(events, "user", "item", "request", *(f"label_{x}" for x in labels))
    )
    return contradictions.count(user, item, request, dict(zip(labels, values, strict=True)))


def _attribute(events: pa.Table, plan: JoinPlan) -> tuple[pa.Table, summary.Summary]:
    """Sets the labels that events of their own set, and drops those that are no behaviors."""
    user, item, request, time, role, behavior = _arrays(
        events, "user", "item", "request", "time", "role", "behavior"
    )
    candidates = np.flatnonzero(np.isin(role, SHOWN))
    is_written = role[candidates] == Role.WRITTEN
    counts: summary.Summary = {"attributed": {}, "dropped": {}}
    for k, label in enumerate(plan.options.attributed):
        own = np.flatnonzero(role == Role.LABEL_EVENT + k)
        shown, came = (
            attribution.Shown(
                user[rows],
                item[rows],
                request[rows] if plan.attributed_by_request(label) else None,
                time[rows],
            )
            for rows in (candidates, own)
        )
        (values,) = _arrays(events, f"label_{label}")
        found = attribution.attribute(
            shown, came, plan.options.window(label), values[candidates] > 0, is_written
        )
        events = _replaced(events, f"label_{label}", candidates[found.positive], 1)
        if label in plan.options.late_statistics:
            events = _replaced(events, f"known_{label}", candidates, found.known)
        totals = np.bincount(found.outcome, minlength=len(attribution.OUTCOMES)).tolist()
        attributed, *dropped = totals
        counts["attributed"][label] = attributed
        for outcome, total in zip(attribution.OUTCOMES[1:], dropped, strict=True):
            if outcome != attribution.AFTER_PART or plan.options.carries_late_sums:
                counts["dropped"][f"{label}_{outcome}"] = total
    kept = (role < Role.LABEL_EVENT) | behavior
    return events.filter(pa.array(kept)).combine_chunks(), counts


def _replaced(events: pa.Table, column: str, rows: np.ndarray, new: np.ndarray | int) -> pa.Table:
    """Returns events with other values in some rows of a column."""
    values = events[column].to_numpy().copy()
    values[rows] = new
    place = events.schema.get_field_index(column)
    return events.set_column(place, column, pa.array(values))


def _with_negatives(
    events: pa.Table, rule: NegativesRule, items: ItemCounts
) -> tuple[pa.Table, summary.Summary]:
    """Adds a row for each negative after the candidate that it belongs to."""
    user, item, time, request, role = _arrays(events, "user", "item", "time", "request", "role")
    candidates = np.flatnonzero(role == Role.CANDIDATE)
    seen = negatives.Interactions(user, item, time, request)
    owner, drawn = negatives.draw(rule, items, seen, candidates)
    added = events.take(pa.array(owner))
    count = len(owner)
    replaced = {
        "item": pa.array(drawn),
        "role": pa.array(np.full(count, Role.NEGATIVE, np.int8)),
        "behavior": pa.array(np.zeros(count, bool)),
    }
    for name in events.column_names:
        if name.startswith("label_"):
            replaced[name] = pa.array(np.zeros(count, np.float32))
    for name, values in replaced.items():
        added = added.set_column(events.schema.get_field_index(name), name, values)
    # Events 0 1 2 with negatives of 0 0 2: a stable sort of 0 1 2 0 0 2 puts each negative after
    # its event.
    order = np.argsort(np.concatenate([np.arange(len(events)), owner]), kind="stable")
    merged = pa.concat_tables([events, added]).combine_chunks().take(pa.array(order))
    wanted = rule.count * len(candidates)
    return merged.combine_chunks(), {"negatives": {"drawn": count, "missing": wanted - count}}


def _arrays(events: pa.Table, *names: str) -> tuple[np.ndarray, ...]:
    return tuple(events[name].to_numpy() for name in names)
