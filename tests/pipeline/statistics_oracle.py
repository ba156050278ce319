"""Running statistics once more, a row at a time in plain Python, from the log alone."""

import numpy as np

from tests.pipeline.oracle import int64


def expected(rows, statistics, records, *, delay=0, attributed=None):
    """Returns what each record should hold: `(context, candidates)` lists of float32 rows.

    Args:
      rows: dicts with user_id, item_id, timestamp (s) and the statistics, in the order of the log.
      statistics: columns of the rows.
      records: as `oracle.parse` returns them.
      delay: seconds.
      attributed: `{column: {position of a distinct row: seconds at which it became 1}}`.
    """
    events, seen = [], set()
    for row in rows:
        key = tuple(sorted(row.items()))
        if key not in seen:
            seen.add(key)
            events.append(row)
    order = sorted(range(len(events)), key=lambda n: events[n]["timestamp"])
    late = attributed or {}
    additions, of_items = [], []
    for number in order:
        row, user, item = (
            events[number],
            *(int64(events[number][name]) for name in ("user_id", "item_id")),
        )
        now = row["timestamp"]
        before = total(of_items_before(events, late, statistics, item, now), 1 + len(statistics))
        weight = before[0] / (before[0] + 10.0)
        means = [value / max(before[0], 1) for value in before[1:]]
        values = [0.0 if name in late else float(row[name]) for name in statistics]
        residuals = [weight * (v - m) for v, m in zip(values, means, strict=True)]
        additions.append((user, now, [1.0, *values, weight, *residuals]))
        for place, name in enumerate(statistics):
            if number in late.get(name, {}):
                one = [0.0] * (2 + 2 * len(statistics))
                one[1 + place] = 1.0
                one[2 + len(statistics) + place] = weight
                additions.append((user, late[name][number], one))
    del of_items
    found = []
    for record in records:
        moment = record["timestamp"][0] // 1_000_000 - delay
        user = record["user_id"][0]
        own = sorted((one for one in additions if one[0] == user), key=lambda one: one[1])
        context = total([one[2] for one in own if one[1] < moment], 2 + 2 * len(statistics))
        candidates = [
            total(of_items_before(events, late, statistics, item, moment), 1 + len(statistics))
            for item in record["candidate_item_id"]
        ]
        found.append((np.float32(context).tolist(), np.float32(candidates).reshape(-1).tolist()))
    return found


def of_items_before(events, late, statistics, item, moment):
    """Yields what an item's events before a moment add."""
    for number, row in enumerate(events):
        if int64(row["item_id"]) != item:
            continue
        if row["timestamp"] < moment:
            yield [1.0, *(0.0 if name in late else float(row[name]) for name in statistics)]
        for place, name in enumerate(statistics):
            if late.get(name, {}).get(number, moment) < moment:
                yield [0.0, *(float(k == place) for k in range(len(statistics)))]


def total(rows, width):
    """Adds rows up, one after another."""
    added = [0.0] * width
    for row in rows:
        added = [a + b for a, b in zip(added, row, strict=True)]
    return added


def received(records):
    """Returns `(context, candidates)` of each record."""
    return [
        (record["context_running_statistics"], record["candidate_running_statistics"])
        for record in records
    ]
