"""Drift: the changes since a baseline, measured against thresholds."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.spatial.distance import jensenshannon

from features.errors import UserInputError
from features.schema import TIMESTAMP
from pipeline.runtime import text_table
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


def compare(
    current: Mapping[str, Any], baseline: Mapping[str, Any], thresholds: DriftThresholds
) -> list[Change]:
    """Measures every change of the parts (`log`, `embedding_sets`, `examples`) that both have.

    A measure whose threshold is None is left out.

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


def distance(now: Mapping[Any, float], then: Mapping[Any, float]) -> float | None:
    """Returns the Jensen-Shannon distance, 0 to 1, of two distributions; None where one is empty.

    >>> distance({"a": 1, "b": 1}, {"a": 5, "b": 5}), distance({"a": 1}, {"b": 1})
    (0.0, 1.0)

    Args:
      now: counts by value, of any total.
      then: the same.
    """
    keys = sorted({*now, *then}, key=str)
    counts = np.array([[one.get(key, 0) for key in keys] for one in (now, then)], float)
    totals = counts.sum(axis=1)
    if not totals.all():
        return None
    shares = counts / totals[:, None]
    if np.array_equal(*shares):
        return 0.0
    # Rounding may leave a tiny negative divergence of nearly equal distributions.
    return float(np.nan_to_num(jensenshannon(*shares, base=2)))


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


_READ_ALIKE = {
    r"u?int(8|16|32|64)": "integer",
    r"(large_)?string(_view)?": "text",
    r"(large_)?binary(_view)?|fixed_size_binary\[\d+\]": "bytes",
    r"timestamp\[.*\]|date(32|64)\[.*\]": "time",
}


def _log(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Measured]:
    yield _ratio("events", now["rows"], then["rows"])
    yield from _schema("events", *map(_column_types, (now, then)))
    yield from _rates("events", now["labels"], then["labels"])
    for name, column, before in _common(now["columns"], then["columns"]):
        subject, pair = f"events.{name}", (column, before)
        yield _difference("missing_rate", subject, *(share(v["nulls"], v["rows"]) for v in pair))
        if all("rows_per_id" in one for one in pair):
            activity = [{least: rows for least, _, _, rows in one["rows_per_id"]} for one in pair]
            yield _distance("activity_distance", subject, *activity)
        # A label's values are its rate; times are expected to be new.
        elif name != TIMESTAMP and all(one["kind"] in ("number", "text") for one in pair):
            yield _values(subject, column, before)


def _embedding_sets(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Measured]:
    widths = [{k: f"width {v['dimension']}" for k, v in one.items()} for one in (now, then)]
    yield from _schema("embeddings", *widths)
    for name, values, before in _common(now, then):
        subject, pair = f"embeddings.{name}", (values, before)
        yield _ratio(subject, values["usable"], before["usable"])
        bad = [share(sum(one["rejected"].values()), one["rows"]) for one in pair]
        yield _difference("bad_rate", subject, *bad)
        yield _distance("value_distance", f"{subject}.norm", *(_bins(v["norm"]) for v in pair))
        if all("coverage" in one for one in pair):
            yield _difference("coverage", subject, *(v["coverage"]["event_share"] for v in pair))


def _examples(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Measured]:
    for kind in ("item_features", "context_features", "modalities"):
        yield from _schema("examples", now["schema"][kind], then["schema"][kind])
    labels = [dict.fromkeys(one["schema"]["labels"], "label") for one in (now, then)]
    yield from _schema("examples", *labels)
    counts = [one["counts"] for one in (now, then)]
    bad = [share(sum(one.get("quarantined", {}).values()), one.get("read", 0)) for one in counts]
    yield _difference("bad_rate", "examples", *bad)
    for name, split, before in _common(now["splits"], then["splits"]):
        subject = f"examples.{name}"
        yield _ratio(subject, split["candidates"], before["candidates"])
        yield from _rates(subject, split["labels"], before["labels"])
        pair = (split, before)
        for measure, key in _HISTOGRAMS.items():
            yield _distance(measure, subject, *(one.get(key, {}) for one in pair))
    for name, covered, before in _common(now["coverage"], then["coverage"]):
        yield _difference("coverage", f"examples.{name}", covered, before)
    for name, codes, before in _common(now["similarity"], then["similarity"]):
        for label in ("label_0", "label_1"):
            known = [
                {code: count for code, count in enumerate(one[label]) if code and count}
                for one in (codes, before)
            ]
            yield _distance("similarity_distance", f"examples.{name}.{label}", *known)


_HISTOGRAMS = {
    "history_distance": "history_length",
    "request_distance": "candidates_per_request",
}
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
    measure: str, subject: str, now: Mapping[Any, float], then: Mapping[Any, float]
) -> _Measured:
    return measure, subject, distance(now, then), None, None


def _rates(subject: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Measured]:
    for name, label, before in _common(now, then):
        if label["rate"] is not None and before["rate"] is not None:
            yield _difference("label_rate", f"{subject}.{name}", label["rate"], before["rate"])


def _values(subject: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> _Measured:
    columns = (now, then)
    # Two columns are compared in one way: by values only where both list them all.
    by_bin = any("histogram" in one and len(one["top"]) < one["distinct"] for one in columns)
    change = distance(*map(_bins if by_bin else _top_values, columns))
    return "value_distance", subject, change, then.get("mean"), now.get("mean")


def _bins(column: Mapping[str, Any]) -> dict[str, float]:
    """Returns the rows of a column's histogram by the bins' lower edges."""
    return {f"{low:.9g}": rows for low, _, rows in column.get("histogram", [])}


def _top_values(column: Mapping[str, Any]) -> dict[str, float]:
    """Returns the rows of a column's most frequent values, and of all others together."""
    listed = {str(value): rows for value, rows in column["top"]}
    rest = column["rows"] - column["nulls"] - sum(listed.values())
    return {**listed, **({"(rest)": rest} if rest else {})}


def _column_types(log: Mapping[str, Any]) -> dict[str, str]:
    columns = {**log["columns"], **log.get("not_read", {})}
    types = {name: column["type"] for name, column in columns.items()}
    return {**dict.fromkeys(log["labels"], "label"), **types}


def _schema(subject: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Measured]:
    for name in sorted({*now, *then}):
        after, before = (str(one[name]) if name in one else None for one in (now, then))
        change = float(_read_as(after) != _read_as(before))
        yield "schema_changes", f"{subject}.{name}", change, before, after


def _read_as(kind: str | None) -> str | None:
    """Returns what types have in common that are read alike, such as integers of every width."""
    for pattern, read_as in _READ_ALIKE.items():
        if kind is not None and re.fullmatch(pattern, kind):
            return read_as
    return kind


def _text(value: _Value) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"
