"""The report of a single training: splits as series, slices drawn, what made it told."""

import re
from pathlib import Path

import pytest

from pipeline.report import headline
from pipeline.report.page import render
from pipeline.report.sections import slice_section
from pipeline.training_runs import training_run
from tests.pipeline.training_runs.trained_runs import METRICS, write_run


def metrics(auc: float) -> dict:
    slices = {
        "history_length": [
            {"slice": "0", "candidates": 50, "positives": 10, "auc": None, "gauc": None},
            {"slice": "1-4", "candidates": 100, "positives": 30, "auc": auc - 0.1, "gauc": 0.6},
            {"slice": "5+", "candidates": 850, "positives": 300, "auc": auc + 0.02, "gauc": 0.7},
        ],
        "similarity_text": [{"slice": "known", "candidates": 900, "auc": auc, "gauc": None}],
    }
    curve = [
        {"predicted": 0.2, "observed": 0.25, "count": 500},
        {"predicted": 0.7, "observed": 0.71, "count": 500},
    ]
    return {**METRICS, "auc": auc, "calibration_curve": curve, "slices": slices}


@pytest.fixture
def data() -> dict:
    return {"split": "validation", "metrics": {"validation": metrics(0.8), "test": metrics(0.79)}}


def test_slices_say_where_the_model_is_good(data: dict) -> None:
    section = slice_section.section(data)
    figure, first, second = section.blocks
    by_length, by_similarity = figure.drawings
    assert by_similarity.title == "By text similarity to the history"
    drawn = str(by_length.svg)
    assert drawn.count("<circle") == 4, "two slices with an AUC, two splits"
    assert ">0.8200</text>" in drawn and ">0.7000</text>" in drawn
    assert drawn.count("one class only") == 1 and "50 cand." in drawn
    assert len(first.table.rows) == 6 and len(second.table.rows) == 2
    row = next(row for row in first.table.rows if row[0] == "1–4, Test")
    assert row[1:4] == ["100", "30", "0.6900"]


def test_nothing_to_slice_is_no_section() -> None:
    assert slice_section.section({"metrics": {"dmf": METRICS}}) is None
    assert slice_section.section({}) is None


def test_dots_lie_where_their_value_is(data: dict) -> None:
    del data["metrics"]["test"]
    drawn = str(slice_section.section(data).blocks[0].drawings[0].svg)
    places = [float(x) for x in re.findall(r'<circle[^>]* cx="([\d.]+)"', drawn)]
    (rule,) = re.findall(r'<line class="reference" x1="([\d.]+)"', drawn)
    low, high = places
    # AUC .70, all candidates .80, .82.
    assert (float(rule) - low) / (high - low) == pytest.approx(0.1 / 0.12, abs=0.01)


def test_tiles_are_of_validation_and_name_the_test_split_where_it_was_opened(data: dict) -> None:
    (first, *_) = headline.tiles(data)
    assert (first.label, first.value, first.note) == ("AUC", "0.8000", "Validation; test 0.7900")
    del data["metrics"]["test"]
    assert headline.tiles(data)[0].note == "Validation"


def test_another_model_than_dmf_is_compared_with_the_baseline() -> None:
    both = {"metrics": {"id_only": metrics(0.7), "dta": metrics(0.8)}}
    assert headline.tiles(both)[0].note == "+0.1000 against ID-only"


def test_a_run_folder_has_all_that_its_report_shows(tmp_path: Path) -> None:
    overrides = ["model.name=sa_ta", "training.seed=7"]
    folder = write_run(tmp_path / "run", overrides, {"validation": metrics(0.8)})
    training_run.write_report(str(folder))
    page = (folder / "report.html").read_text()
    anchors = re.findall(r'<section id="(\w+)"', page)
    assert anchors == ["training", "quality", "slices", "calibration", "facts"]
    for text in (
        "Training of sa_ta",
        "0123456789abcdef",
        "c0ffee",
        "/nowhere/examples",
        "training.seed",
        "2.16.2",
        "python -m pipeline.train --examples examples --model_dir a",
        "Evaluations of sa_ta (2)",
        "Reproduction",
    ):
        assert text in page, text
    assert "http" not in page.replace("http-equiv", "")


def test_a_setting_named_like_markup_stays_text(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", command="python <script>alert(1)</script>")
    training_run.write_report(str(folder))
    assert "<script" not in (folder / "report.html").read_text()


def test_a_model_on_its_own_needs_no_baseline(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    render({"metrics": {"validation": metrics(0.8)}}, str(path))
    page = path.read_text()
    assert "How good is the model where it was not trained?" in page
    assert "ID-only" not in page
    assert "Validation minus" not in page
