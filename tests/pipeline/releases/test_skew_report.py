"""The table of what training and serving compute alike."""

import json

import numpy as np

from pipeline.releases import skew_report
from serving_signatures.skew.tally import Tally


def test_what_differs_comes_first_with_a_record():
    tally = Tally()
    tally.add("scores", np.zeros(1200), np.zeros(1200), ["record 7"])
    tally.add("similarity_text", np.array([[1, 2]]), np.array([[1, 3]]), ["record 7"])
    lines = skew_report.describe(tally, {"records": 1}).splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["similarity_text", "2", "1"],
        ["scores", "1,200", "0"],
    ]
    assert lines[3:] == ["similarity_text: record 7, at [1]: 2 became 3", '{"records": 1}']


def test_a_log_with_redacted_values_does_not_make_all_equal():
    assert skew_report.verdict({"records": 1}) == "Training and serving are equal."
    assert skew_report.verdict({"requests": {"versions": []}}) == "Training and serving are equal."
    redacted = skew_report.verdict({"requests": {"redacted": ["user_id"]}})
    assert redacted == "What could be compared is equal."


def test_json_ends_with_a_newline(tmp_path):
    path = tmp_path / "skew.json"
    skew_report.write(str(path), {"skew": False, "records": 1})
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == {"skew": False, "records": 1}
    assert text.endswith("}\n")
