"""Running statistics once more, a row at a time in plain Python, from the log alone."""

import numpy as np

from tests.pipeline.join.oracle import distinct, int64


def expected(rows, statistics, records, *, delay=0, late=None):
    """Returns what each record should hold: `(context, candidates)`, float32 as lists.

    Args:
      rows: dicts with user_id, item_id, timestamp (s) and the statistics, in the order of the log.
      statistics: columns of the rows.
      records: as `oracle.parse` returns them.
      delay: seconds.
      late: for statistics that come as events of their own, by name: seconds by position of
        the row, duplicates left out, whose value became 1.
    """
    late = late or {}
    events = distinct(rows)
    order = sorted(range(len(events)), key=lambda n: events[n]["timestamp"])
    of_items = [
        (int64(events[n]["item_id"]), *one)
        for n in order
        for one in steps(events, n, late, statistics)
    ]
    of_users = []
    for n in order:
        event = events[n]
        mean = before(of_items, int64(event["item_id"]), event["timestamp"], 1 + len(statistics))
        for time, values in steps(events, n, late, statistics):
            is_event, count = values[0], mean[0]
            weight = count / (count + 10.0)
            expectation = [is_event * total / max(count, 1) for total in mean[1:]]
            residuals = [weight * (v - m) for v, m in zip(values[1:], expectation, strict=True)]
            added = [*values, weight * is_event, *residuals]
            of_users.append((int64(event["user_id"]), time, added))
    # Labels that came late are added after the events of their instant.
    of_users.sort(key=lambda one: (one[1], not one[2][0]))
    found = []
    for record in records:
        moment = record["timestamp"][0] // 1_000_000 - delay
        context = before(of_users, record["user_id"][0], moment, 2 + 2 * len(statistics))
        candidates = [
            before(of_items, item, moment, 1 + len(statistics))
            for item in record["candidate_item_id"]
        ]
        found.append((np.float32(context).tolist(), np.float32(candidates).reshape(-1).tolist()))
    return found


def steps(events, number, late, statistics):
    """Yields when an event adds what: count and sums at its own time, late labels at theirs."""
    event = events[number]
    yield event["timestamp"], [1.0, *(0.0 if s in late else float(event[s]) for s in statistics)]
    for name in statistics:
        if number in late.get(name, {}):
            yield late[name][number], [0.0, *(float(other == name) for other in statistics)]


def before(additions, owner, moment, width):
    """Adds up what an owner's additions before a moment are, one after another."""
    added = [0.0] * width
    for one, time, values in additions:
        if one == owner and time < moment:
            added = [a + b for a, b in zip(added, values, strict=True)]
    return added


def received(records):
    """Returns `(context, candidates)` of each record."""
    return [
        (record["context_running_statistics"], record["candidate_running_statistics"])
        for record in records
    ]


def residual_codes(rows, statistic):
    """Returns the codes of the events of each user, item and second, a set of them."""
    events = distinct(rows)
    codes = {}
    for event in events:
        earlier = [
            one[statistic]
            for one in events
            if one["item_id"] == event["item_id"] and one["timestamp"] < event["timestamp"]
        ]
        code = 0
        if earlier:
            weight = len(earlier) / (len(earlier) + 10)
            residual = weight * (event[statistic] - sum(earlier) / len(earlier))
            code = 1 + round((max(-1, min(1, residual)) + 1) * 127)
        key = int64(event["user_id"]), int64(event["item_id"]), event["timestamp"]
        codes.setdefault(key, set()).add(code)
    return codes
