"""The headline metrics on the terminal."""

from pipeline.training_runs import headline

CLICK = {"auc": 0.81234, "gauc": 0.7, "logloss": 0.5, "ne": 0.9, "calibration": 1.01}


def test_table_has_a_row_per_label_and_a_dash_for_what_is_undefined() -> None:
    conversion = {**CLICK, "auc": 0.6, "gauc": None, "of_positives": None}
    lines = headline.table({**CLICK, "labels": {"conversion": conversion}}, "click").splitlines()
    assert [line.split() for line in lines] == [
        ["auc", "gauc", "logloss", "ne", "calibration"],
        ["click", "0.8123", "0.7000", "0.5000", "0.9000", "1.0100"],
        ["conversion", "0.6000", "-", "0.5000", "0.9000", "1.0100"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_figures_by_weight_are_a_row_of_their_own() -> None:
    weighted = {**CLICK, "auc": 0.75}
    conversion = {**CLICK, "auc": 0.6, "weighted": None}
    values = {**CLICK, "weighted": weighted, "labels": {"conversion": conversion}}
    lines = headline.table(values, "click").splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["click", "0.8123", "0.7000"],
        ["by", "weight", "0.7500"],
        ["conversion", "0.6000", "0.7000"],
    ]
    assert len({len(line) for line in lines}) == 1
    assert headline.headline(values)["weighted"] == weighted
