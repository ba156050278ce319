"""Drift: the same data has none; what changed is named, and not more."""

import numpy as np
import pytest

from features.errors import UserInputError
from pipeline.runtime import named_values
from pipeline.statistics import assessment, drift
from pipeline.statistics.examples import example_statistics
from pipeline.statistics.options import CheckLimits, DriftConfig, DriftThresholds
from pipeline.training_runs import run_config
from tests.pipeline.statistics import statistics_data as sample
from tests.pipeline.statistics.statistics_data import inspected, null, shifted


def breaches(current, baseline, thresholds=None):
    changes = drift.compare(current, baseline, thresholds or DriftThresholds())
    return {(one.measure, one.subject) for one in changes if one.is_breach}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, set()),
        ({"rate": 0.36}, {("label_rate", f"examples.{s}.click") for s in ("train", "test")}),
        ({"rate": 0.34}, set()),
        ({"coverage": 0.8}, {("coverage", "examples.text")}),
        ({"shift": 12}, {("similarity_distance", f"examples.text.label_{i}") for i in (0, 1)}),
        ({"history": (6, 4)}, {("history_distance", f"examples.{s}") for s in ("train", "test")}),
        ({"quarantined": 100}, {("bad_rate", "examples")}),
    ],
)
def test_drift_of_examples(arguments, expected):
    before = example_statistics(sample.manifest())
    after = example_statistics(sample.manifest(**arguments))
    assert breaches({"examples": after}, {"examples": before}) == expected


def test_drift_of_what_is_gone():
    before, after = (example_statistics(sample.manifest()) for _ in range(2))
    after["schema"]["modalities"] = {"text": 32}
    before["schema"]["labels"] = ["click", "conversion"]
    before["schema"]["item_features"] = {}
    assert breaches({"examples": after}, {"examples": before}) == {
        ("schema_changes", "examples.text"),
        ("schema_changes", "examples.conversion"),
        ("schema_changes", "examples.genre"),
    }
    off = DriftThresholds(schema_changes=None)
    assert breaches({"examples": after}, {"examples": before}, off) == set()
    with pytest.raises(UserInputError, match="examples"):
        drift.compare({"log": {"rows": 1}}, {"examples": before}, off)


def test_unknown_similarity_is_coverage_not_distance():
    before, after = (example_statistics(sample.manifest()) for _ in range(2))
    after["similarity"]["text"]["label_1"] = [10**6, *after["similarity"]["text"]["label_1"][1:]]
    assert breaches({"examples": after}, {"examples": before}) == set()


def one_country(rows):
    rows["country"][:] = np.where(np.arange(6000) % 10 == 0, "fr", "de")


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (lambda rows: None, set()),
        (shifted, {("label_rate", "events.click")}),
        (one_country, {("value_distance", "events.country")}),
        (lambda rows: rows.update(price=rows["price"] * 2), {("value_distance", "events.price")}),
        (null("country", 600), {("missing_rate", "events.country")}),
        (lambda rows: rows.update(user_id=np.arange(6000) // 2),
         {("activity_distance", "events.user_id")}),
        (lambda rows: rows.pop("country"), {("schema_changes", "events.country")}),
        (lambda rows: rows.update({k: v[:1500] for k, v in rows.items()}),
         {("rows_ratio", "events"), ("activity_distance", "events.user_id"),
          ("activity_distance", "events.item_id")}),
    ],
)  # fmt: skip
def test_drift_of_logs(tmp_path, plant, expected):
    inspected(tmp_path, sample.clean_log(seed=1), name="base")
    rows = sample.clean_log(seed=2)
    plant(rows)
    config = DriftConfig(baseline=str(tmp_path / "base"))
    found = inspected(tmp_path, rows, config=config).assessment
    assert {(one.measure, one.subject) for one in found.changes if one.is_breach} == expected
    assert found.is_bad == bool(expected)


def test_same_data_has_no_change_at_all(tmp_path):
    inspected(tmp_path, sample.clean_log(), name="base")
    config = DriftConfig(baseline=str(tmp_path / "base" / "statistics.json"))
    changes = inspected(tmp_path, sample.clean_log(), config=config).assessment.changes
    assert len(changes) > 15
    assert {one.change for one in changes if one.measure != "rows_ratio"} == {0.0}
    assert {one.change for one in changes if one.measure == "rows_ratio"} == {1.0}


def test_a_baseline_of_version_1_is_read(tmp_path):
    inspected(tmp_path, sample.clean_log(), name="base")
    path = tmp_path / "base" / "statistics.json"
    text = path.read_text().replace('"version": 2', '"version": 1')
    path.write_text(text.replace("rows_per_id", "_".join(("rows", "an", "id"))))
    config = DriftConfig(baseline=str(path))
    changes = inspected(tmp_path, sample.clean_log(), config=config).assessment.changes
    assert {one.subject for one in changes if one.measure == "activity_distance"} == {
        "events.user_id",
        "events.item_id",
    }


def test_embeddings_that_left_or_grew(tmp_path):
    inspected(tmp_path, sample.clean_log(), name="base")
    config = DriftConfig(baseline=str(tmp_path / "base"))
    ids, vectors = sample.clean_vectors()
    vectors = [*vectors[:70], *(one * 9 for one in vectors[70:])]
    scaled = inspected(tmp_path, sample.clean_log(), (ids, vectors), name="b", config=config)
    assert [one.subject for one in scaled.assessment.changes if one.is_breach] == [
        "embeddings.text.norm"
    ]
    fewer = inspected(
        tmp_path, sample.clean_log(), (ids[:60], vectors[:60]), name="c", config=config
    )
    assert ("coverage", "embeddings.text") in {
        (one.measure, one.subject) for one in fewer.assessment.changes if one.is_breach
    }


def test_distance_of_two_halves_is_known():
    # Half of the mass moved: JS divergence = H(.75, .25) - H(.5, .5) / 2 = .811 - .5
    moved = drift.distance({"a": 1}, {"a": 1, "b": 1})
    assert moved == pytest.approx((0.8112781 - 0.5) ** 0.5, rel=1e-6)


def test_baselines_that_are_none_are_told(tmp_path):
    (tmp_path / "old.json").write_text('{"version": 0}')
    (tmp_path / "no.json").write_text("{")
    for name, expected in (("old.json", "version 0"), ("no.json", "not JSON"), ("x", "neither")):
        with pytest.raises(UserInputError, match=expected):
            assessment.read_baseline(str(tmp_path / name))


def test_unknown_threshold_is_told():
    with pytest.raises(UserInputError, match=r"label_rat: .*Names are label_rate, missing_rate"):
        named_values.parse(DriftThresholds, {"label_rat": 1}, "Thresholds")
    with pytest.raises(UserInputError, match="coverage"):
        named_values.parse(CheckLimits, {"coverage": "2"}, "--limit")
    earlier_names = {"bad": 0.5, "user": 0.2, "cold": 1}
    limits = named_values.parse(CheckLimits, earlier_names, "--limit")
    assert limits == CheckLimits(max_bad_fraction=0.5, max_user_share=0.2, max_cold_share=1)
    assert run_config.load(None, ["checks.item=.2"]).checks == CheckLimits(max_item_share=0.2)
    config = run_config.load(None, ["drift.thresholds.label_rate=.2", "drift.baseline=x"])
    assert config.drift == DriftConfig("x", DriftThresholds(label_rate=0.2))
    with pytest.raises(UserInputError, match=r"drift\.thresholds\.label"):
        run_config.load(None, ["drift.thresholds.label=.2"])
