"""The summary's metrics, and its lines on the terminal."""

from pipeline.end_to_end.run_summary import describe
from pipeline.training_runs.headline import headline
from tests.pipeline.end_to_end.test_run import KEYS


def test_a_second_label_is_summarized_beside_the_first() -> None:
    figures = {"auc": 0.8, "gauc": 0.7, "logloss": 0.5, "ne": 0.9, "calibration": 1.01}
    other = {**figures, "auc": 0.6543, "gauc": None}
    values = headline({**figures, "labels": {"conversion": {**other, "of_positives": None}}})
    assert values == {**figures, "labels": {"conversion": other}}
    counts = dict.fromkeys(KEYS["join"], 1)
    summary = {
        "join": counts,
        "train": dict.fromkeys(KEYS["train"], 1),
        "metrics": {"dmf": values},
        "findings": ["Ids carry.", "Content does not."],
        "export": {"saved_model": "m/1", "signatures": ["a"], "parity_max_abs_diff": 0.0},
        "serving": {"candidates": 1, "history_length": 2, "latency_ms": {"dmf": 1.0}},
    }
    lines = describe(summary, "click", "out").splitlines()
    (line,) = [one for one in lines if one.endswith("(conversion)")]
    assert line.split()[:3] == ["dmf", "0.6543", "-"]
    assert "Findings  Ids carry." in lines and "          Content does not." in lines
