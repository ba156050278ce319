"""Drift: the changes since a baseline, measured against thresholds."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from features.errors import UserInputError
from features.schema import TIMESTAMP
from pipeline.runtime import text_table
from pipeline.statistics import distances
from pipeline.statistics.findings import share
from pipeline.statistics.options import DriftThresholds


@dataclasses.dataclass(frozen=True)
class Change:
    """One measured change.

    Attributes:
      measure: a field of `DriftThresholds`.
      subject: what was measured, such as `events.click`.
      change: by how much.
      threshold: the most allowed.
      before: of the baseline, where the measure has one number.
      after: of the data.
    """

    measure: str
    subject: str
    change: float
    threshold: float
    before: float | str | None = None
    after: float | str | None = None

    @property
    def is_breach(self) -> bool:
        """Whether the change is more than allowed."""
        return self.change > self.threshold

    def to_dict(self) -> dict[str, Any]:
        """Returns the change as JSON values."""
        return {**dataclasses.asdict(self), "breach": self.is_breach}


def compare(
    current: Mapping[str, Any], baseline: Mapping[str, Any], thresholds: DriftThresholds
) -> list[Change]:
    """Measures every change of the parts that both statistics have.

    Args:
      current: statistics with any of `log`, `embedding_sets` and `examples`.
      baseline: the same, of earlier data.
      thresholds: the largest allowed changes; a measure whose threshold is None is left out.

    Raises:
      UserInputError: the two have nothing in common, so that nothing would be compared.
    """
    parts = [part for part in _PARTS if current.get(part) and baseline.get(part)]
    if not parts:
        has = [part for part in _PARTS if baseline.get(part)]
        raise UserInputError(
            f"The baseline has statistics of {has or 'nothing'}, but there are none of that now. "
            "Give a baseline of the same kind: of events, embeddings or examples."
        )
    changes = []
    for part in parts:
        for measure, subject, change, before, after in _PARTS[part](current[part], baseline[part]):
            threshold = getattr(thresholds, measure)
            if threshold is not None and change is not None:
                changes.append(Change(measure, subject, change, threshold, before, after))
    return sorted(changes, key=lambda one: (not one.is_breach, one.measure, one.subject))


def table(changes: Sequence[Change]) -> str:
    """Returns changes as lines for people."""
    rows = [["measure", "of", "change", "threshold", "before", "after"]]
    for one in changes:
        values = (one.change, one.threshold, one.before, one.after)
        rows.append([one.measure, one.subject, *map(_text, values)])
    return text_table.aligned(rows)


_Value = float | str | None
_Measured = tuple[str, str, float | None, _Value, _Value]
"""Measure, subject, change (None where it cannot be measured), before, after."""


def _log(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Measured]:
    yield _ratio("events", now["rows"], then["rows"])
    types = [
        dict.fromkeys(one["labels"], "label") | {k: v["type"] for k, v in one["columns"].items()}
        for one in (now, then)
    ]
    yield from _schema("events", *types)
    yield from _rates("events", now["labels"], then["labels"])
    for name, column, before in _common(now["columns"], then["columns"]):
        subject, pair = f"events.{name}", (column, before)
        missing = [share(one["nulls"], one["rows"]) for one in pair]
        yield _difference("missing_rate", subject, *missing)
        if all("rows_per_id" in one for one in pair):
            activity = map(distances.of_activity, pair)
            yield _distance("activity_distance", subject, *activity)
        # A label's values are its rate; times are expected to be new.
        elif name != TIMESTAMP and all(one["kind"] in ("number", "text") for one in pair):
            yield _values(subject, column, before)


def _embedding_sets(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Measured]:
    widths = [
        {name: f"width {values['dimension']}" for name, values in one.items()}
        for one in (now, then)
    ]
    yield from _schema("embeddings", *widths)
    for name, values, before in _common(now, then):
        subject, pair = f"embeddings.{name}", (values, before)
        yield _ratio(subject, values["usable"], before["usable"])
        bad = [share(sum(one["rejected"].values()), one["rows"]) for one in pair]
        yield _difference("bad_rate", subject, *bad)
        norms = [distances.of_histogram(one["norm"].get("histogram", [])) for one in pair]
        yield _distance("value_distance", f"{subject}.norm", *norms)
        if all("coverage" in one for one in pair):
            covered = [one["coverage"]["event_share"] for one in pair]
            yield _difference("coverage", subject, *covered)


def _examples(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Measured]:
    both = (now, then)
    for kind in ("item_features", "context_features", "modalities"):
        columns = [{k: str(v) for k, v in one["schema"][kind].items()} for one in both]
        yield from _schema("examples", *columns)
    labels = [dict.fromkeys(one["schema"]["labels"], "label") for one in both]
    yield from _schema("examples", *labels)
    counts = [one["counts"] for one in both]
    bad = [share(sum(one.get("quarantined", {}).values()), one.get("read", 0)) for one in counts]
    yield _difference("bad_rate", "examples", *bad)
    for name, split, before in _common(now["splits"], then["splits"]):
        subject = f"examples.{name}"
        yield _ratio(subject, split["candidates"], before["candidates"])
        yield from _rates(subject, split["labels"], before["labels"])
        for key, measure in (
            ("history_length", "history_distance"),
            ("candidates_per_request", "request_distance"),
        ):
            yield _distance(measure, subject, split.get(key, {}), before.get(key, {}))
    for name, covered, before in _common(now["coverage"], then["coverage"]):
        yield _difference("coverage", f"examples.{name}", covered, before)
    for name, codes, before in _common(now["similarity"], then["similarity"]):
        for label in ("label_0", "label_1"):
            known = [distances.of_codes(one[label]) for one in (codes, before)]
            yield _distance("similarity_distance", f"examples.{name}.{label}", *known)


_PARTS = {"log": _log, "embedding_sets": _embedding_sets, "examples": _examples}


def _common(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Returns name, present value and former value of what both have."""
    return [(name, now[name], then[name]) for name in now if name in then]


def _ratio(subject: str, now: int, then: int) -> _Measured:
    low, high = sorted((now, then))
    return "rows_ratio", subject, high / max(low, 1), then, now


def _difference(measure: str, subject: str, now: float, then: float) -> _Measured:
    return measure, subject, abs(now - then), then, now


def _distance(
    measure: str, subject: str, now: Mapping[str, float], then: Mapping[str, float]
) -> _Measured:
    return measure, subject, distances.between(now, then), None, None


def _rates(subject: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Measured]:
    for name, label, before in _common(now, then):
        if label["rate"] is not None and before["rate"] is not None:
            yield _difference("label_rate", f"{subject}.{name}", label["rate"], before["rate"])


def _values(subject: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> _Measured:
    columns = (now, then)
    # Two columns are compared in one way: by values only where both list them all.
    if any("histogram" in one and len(one["top"]) < one["distinct"] for one in columns):
        pair = [distances.of_histogram(one.get("histogram", [])) for one in columns]
    else:
        pair = [distances.of_column(one) for one in columns]
    change = distances.between(*pair)
    return "value_distance", subject, change, then.get("mean"), now.get("mean")


def _schema(subject: str, now: Mapping[str, str], then: Mapping[str, str]) -> Iterator[_Measured]:
    for name in sorted({*now, *then}):
        after, before = now.get(name), then.get(name)
        yield "schema_changes", f"{subject}.{name}", float(after != before), before, after


def _text(value: _Value) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"
