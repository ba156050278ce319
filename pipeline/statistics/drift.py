"""What changed since a baseline, by how much, and whether that is too much."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from features.errors import UserInputError
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
      before: of the baseline, where one number says it.
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
    """Measures every change of what both statistics have.

    Args:
      current: statistics with any of `log`, `embedding_sets` and `examples`.
      baseline: the same, of earlier data.
      thresholds: what is too much; a measure whose threshold is None is left out.

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
    rows = [("measure", "of", "change", "threshold", "before", "after")]
    rows += [
        (
            one.measure,
            one.subject,
            f"{one.change:.4g}",
            f"{one.threshold:.4g}",
            _text(one.before),
            _text(one.after),
        )
        for one in changes
    ]
    return text_table.aligned(rows)


_Measured = Iterator[tuple[str, str, float | None, float | str | None, float | str | None]]


def _log(current: Mapping[str, Any], baseline: Mapping[str, Any]) -> _Measured:
    yield _ratio("events", current["rows"], baseline["rows"])
    now, then = current["columns"], baseline["columns"]
    yield from _schema(
        "events",
        {**dict.fromkeys(current["labels"], "label"), **{k: v["type"] for k, v in now.items()}},
        {**dict.fromkeys(baseline["labels"], "label"), **{k: v["type"] for k, v in then.items()}},
    )
    yield from _rates(
        "events",
        {name: one["rate"] for name, one in current["labels"].items()},
        {name: one["rate"] for name, one in baseline["labels"].items()},
    )
    for name in _common(now, then):
        subject = f"events.{name}"
        rates = [share(one[name]["nulls"], one[name]["rows"]) for one in (now, then)]
        yield _difference("missing_rate", subject, *rates)
        if all("rows_an_id" in one[name] for one in (now, then)):
            pair = [distances.of_activity(one[name]) for one in (now, then)]
            yield "activity_distance", subject, distances.between(*pair), None, None
        # A label's values are its rate; times are expected to be new.
        elif name != "timestamp" and all(
            one[name]["kind"] in ("number", "text") for one in (now, then)
        ):
            yield _values(subject, now[name], then[name])


def _embedding_sets(current: Mapping[str, Any], baseline: Mapping[str, Any]) -> _Measured:
    yield from _schema(
        "embeddings",
        {name: f"width {one['dimension']}" for name, one in current.items()},
        {name: f"width {one['dimension']}" for name, one in baseline.items()},
    )
    for name in _common(current, baseline):
        now, then, subject = current[name], baseline[name], f"embeddings.{name}"
        yield _ratio(subject, now["usable"], then["usable"])
        bad = [share(sum(one["rejected"].values()), one["rows"]) for one in (now, then)]
        yield _difference("bad_rate", subject, *bad)
        norms = [distances.of_histogram(one["norm"].get("histogram", [])) for one in (now, then)]
        yield "value_distance", f"{subject}.norm", distances.between(*norms), None, None
        if "coverage" in now and "coverage" in then:
            shares = [one["coverage"]["event_share"] for one in (now, then)]
            yield _difference("coverage", subject, *shares)


def _examples(current: Mapping[str, Any], baseline: Mapping[str, Any]) -> _Measured:
    for kind in ("item_features", "context_features", "modalities"):
        pair = [
            {name: str(value) for name, value in one["schema"][kind].items()}
            for one in (current, baseline)
        ]
        yield from _schema("examples", *pair)
    labels = [dict.fromkeys(one["schema"]["labels"], "label") for one in (current, baseline)]
    yield from _schema("examples", *labels)
    quarantined = [
        share(sum(one["counts"].get("quarantined", {}).values()), one["counts"].get("read", 0))
        for one in (current, baseline)
    ]
    yield _difference("bad_rate", "examples", *quarantined)
    for name in _common(current["splits"], baseline["splits"]):
        now, then, subject = current["splits"][name], baseline["splits"][name], f"examples.{name}"
        yield _ratio(subject, now["candidates"], then["candidates"])
        pair = [{key: one["rate"] for key, one in split["labels"].items()} for split in (now, then)]
        yield from _rates(subject, *pair)
        for key, measure in (
            ("history_length", "history_distance"),
            ("candidates_per_request", "request_distance"),
        ):
            change = distances.between(now.get(key, {}), then.get(key, {}))
            yield measure, subject, change, None, None
    for name in _common(current["coverage"], baseline["coverage"]):
        shares = [one["coverage"][name] for one in (current, baseline)]
        yield _difference("coverage", f"examples.{name}", *shares)
    for name in _common(current["similarity"], baseline["similarity"]):
        for label in ("label_0", "label_1"):
            codes = [one["similarity"][name][label] for one in (current, baseline)]
            change = distances.between(*map(distances.of_codes, codes))
            yield "similarity_distance", f"examples.{name}.{label}", change, None, None


_PARTS = {"log": _log, "embedding_sets": _embedding_sets, "examples": _examples}


def _common(current: Mapping[str, Any], baseline: Mapping[str, Any]) -> list[str]:
    return [name for name in current if name in baseline]


def _ratio(
    subject: str, now: int, then: int
) -> tuple[str, str, float | None, float | None, float | None]:
    low, high = sorted((now, then))
    return "rows_ratio", subject, high / max(low, 1), then, now


def _difference(
    measure: str, subject: str, now: float, then: float
) -> tuple[str, str, float | None, float | None, float | None]:
    return measure, subject, abs(now - then), then, now


def _rates(subject: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> _Measured:
    for name in _common(now, then):
        if now[name] is not None and then[name] is not None:
            yield _difference("label_rate", f"{subject}.{name}", now[name], then[name])


def _values(
    subject: str, now: Mapping[str, Any], then: Mapping[str, Any]
) -> tuple[str, str, float | None, float | None, float | None]:
    columns = (now, then)
    # Two columns are compared in one way: by values only where both list them all.
    if any("histogram" in one and len(one["top"]) < one["distinct"] for one in columns):
        pair = [distances.of_histogram(one.get("histogram", [])) for one in columns]
    else:
        pair = [distances.of_column(one) for one in columns]
    means = then.get("mean"), now.get("mean")
    return "value_distance", subject, distances.between(*pair), *means


def _schema(subject: str, now: Mapping[str, str], then: Mapping[str, str]) -> _Measured:
    for name in sorted({*now, *then}):
        after, before = now.get(name), then.get(name)
        yield "schema_changes", f"{subject}.{name}", float(after != before), before, after


def _text(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"
