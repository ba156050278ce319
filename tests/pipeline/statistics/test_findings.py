"""Planted problems are each found by name; clean data has none."""

import numpy as np
import pytest

from pipeline.statistics import examples
from pipeline.statistics.assessment import Assessment
from pipeline.statistics.examples import example_statistics
from pipeline.statistics.options import CheckLimits
from tests.pipeline.statistics import statistics_data as sample
from tests.pipeline.statistics.statistics_data import inspected, null

DAY = 86_400


def found(inspection):
    return {(one.severity, one.check, one.subject) for one in inspection.assessment.findings}


def test_clean_data_has_no_finding(tmp_path):
    inspection = inspected(tmp_path, sample.clean_log())
    assert inspection.assessment == Assessment(())
    assert (tmp_path / "a" / "statistics.json").exists()


def milliseconds(rows):
    rows["timestamp"] *= 1000


def twice(rows):
    for name, values in rows.items():
        rows[name] = np.concatenate([values, values[:600]])


def put(name, value, where=slice(None)):
    def change(rows):
        rows[name][where] = value(rows) if callable(value) else value

    return change


def without_day(rows):
    kept = np.abs(rows["timestamp"] - sample.START - 10 * DAY) > DAY
    for name, values in rows.items():
        rows[name] = values[kept]


def late_labels(rows):
    rows["click"][rows["timestamp"] > sample.START + 18 * DAY] = 0


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (milliseconds, {("error", "timestamp_unit", "timestamp"),
                        ("error", "timestamp_range", "timestamp")}),
        (lambda rows: rows.update(timestamp=rows["timestamp"] // 1000 * 1000 // 1000 * 0 + 5),
         {("warning", "one_instant", "timestamp")}),
        (put("timestamp", -1, slice(3)), {("warning", "timestamp_range", "timestamp")}),
        (put("click", 0), {("error", "label_constant", "click")}),
        (put("click", 1), {("error", "label_constant", "click")}),
        (put("click", 2, slice(2)), {("warning", "label_domain", "click")}),
        (put("click", 2, slice(600)), {("error", "label_domain", "click")}),
        (late_labels, {("warning", "label_gap", "click")}),
        (null("click", 10), {("warning", "missing", "click")}),
        (null("user_id", 10), {("warning", "missing", "user_id")}),
        (null("item_id", 100), {("error", "missing", "item_id")}),
        (put("item_id", "", slice(3)), {("warning", "empty_id", "item_id")}),
        (put("item_id", "", slice(100)), {("error", "empty_id", "item_id")}),
        (null("timestamp", 10), {("warning", "missing", "timestamp")}),
        (null("country", 4000), {("warning", "missing", "country")}),
        (put("price", np.nan, slice(4)), {("warning", "not_finite", "price")}),
        (put("rating", 3.0), {("warning", "constant", "rating")}),
        (put("user_id", 7, slice(900)), {("warning", "one_user", "user_id")}),
        (put("item_id", "item-3", slice(2500)), {("warning", "one_item", "item_id")}),
        (twice, {("warning", "duplicates", "")}),
        (without_day, {("warning", "time_gap", "timestamp")}),
    ],
)  # fmt: skip
def test_planted_in_the_log(tmp_path, plant, expected):
    rows = sample.clean_log()
    plant(rows)
    expected = {(severity, check, f"events.{of}".rstrip(".")) for severity, check, of in expected}
    inspection = inspected(tmp_path, rows)
    assert found(inspection) - {("warning", "coverage_in_time", "embeddings.text")} == expected
    bad = any(severity == "error" for severity, *_ in expected)
    assert inspection.assessment.is_bad == bad
    assert (tmp_path / "a" / "statistics.rejected.json").exists() == bad
    assert (tmp_path / "a" / "statistics.json").exists() != bad


def test_seconds_taken_for_milliseconds(tmp_path):
    inspection = inspected(tmp_path, sample.clean_log(), unit="ms")
    (finding,) = inspection.assessment.findings
    assert finding.check == "timestamp_unit" and "1970 in ms" in finding.message
    assert "give --timestamp_unit s." in finding.message


def same(ids, vectors):
    return ids, [vectors[0]] * len(ids)


def placeholder(ids, vectors):
    return ids, [vectors[0]] * 30 + vectors[30:]


def broken(count):
    def change(ids, vectors):
        return ids, [None] * count + vectors[count:]

    return change


def foreign(ids, vectors):
    return [f"other-{name}" for name in ids], vectors


def integers(ids, vectors):
    return list(range(len(ids))), vectors


def zero(ids, vectors):
    return ids, [vectors[0] * 0, *vectors[1:]]


def backfilled(ids, vectors):
    return ids, vectors, [(sample.START + 19 * DAY) * 10**6] * len(ids)


def in_seconds(ids, vectors):
    return ids, vectors, [sample.START] * len(ids)


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (same, {("error", "same_vector")}),
        (placeholder, {("warning", "same_vector")}),
        (broken(60), {("error", "embeddings_rejected"), ("warning", "coverage")}),
        (broken(80), {("error", "embeddings_empty")}),
        (foreign, {("error", "coverage")}),
        (integers, {("error", "id_kind")}),
        (zero, {("warning", "zero_vectors")}),
        (backfilled, {("warning", "coverage_in_time")}),
        (in_seconds, {("error", "available_at_unit")}),
    ],
)
def test_planted_in_the_embeddings(tmp_path, plant, expected):
    inspection = inspected(tmp_path, sample.clean_log(), plant(*sample.clean_vectors()))
    expected = {(severity, check, "embeddings.text") for severity, check in expected}
    assert found(inspection) == expected


def set_code(values):
    codes = [0] * 256
    codes[120] = 5
    values["similarity"]["text"] = {"label_0": codes, "label_1": codes}


def set_unknown(values):
    codes = [9, *[0] * 255]
    values["similarity"]["text"] = {"label_0": codes, "label_1": codes}


@pytest.mark.parametrize(
    ("arguments", "change", "expected"),
    [
        ({}, None, set()),
        ({"rate": 0}, None, {("error", "label_constant"), ("warning", "label_constant")}),
        ({"rate": 1}, None, {("error", "label_constant"), ("warning", "label_constant")}),
        ({"coverage": 0.3}, None, {("warning", "coverage")}),
        ({"coverage": 0.01}, None, {("error", "coverage")}),
        ({"history": (99, 1)}, None, {("warning", "empty_history")}),
        ({"quarantined": 20}, None, {("warning", "quarantine")}),
        ({"quarantined": 200}, None, {("error", "quarantine")}),
        ({}, set_code, {("error", "similarity_constant")}),
        ({}, set_unknown, {("error", "similarity_unknown")}),
        ({}, lambda values: values["splits"].pop("train"), {("error", "empty_split")}),
    ],
)
def test_planted_in_the_examples(arguments, change, expected):
    values = sample.manifest(**arguments)
    if change:
        change(values)
    statistics = example_statistics(values)
    findings = examples.find(statistics, CheckLimits())
    assert {(one.severity, one.check) for one in findings} == expected
