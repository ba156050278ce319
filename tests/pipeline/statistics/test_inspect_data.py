"""The command, its exit code and the pictures that it draws."""

import json

import pytest

from features.errors import UserInputError
from pipeline.report.page import render
from pipeline.statistics import inspection
from pipeline.statistics.log_source import LogSource
from pipeline.statistics.options import DriftConfig
from tests import quick_python, synthetic
from tests.pipeline.statistics import statistics_data as sample
from tests.pipeline.statistics.statistics_data import inspected, shifted


def command(*arguments):
    return quick_python.run_job("pipeline.inspect_data", *arguments)


@pytest.mark.slow
def test_command_exits_with_two_and_a_table(tmp_path):
    log = sample.write_log(tmp_path / "log", sample.clean_log())
    shifted_rows = sample.clean_log(seed=2)
    shifted(shifted_rows)
    later = sample.write_log(tmp_path / "later", shifted_rows)
    base, output = tmp_path / "base", tmp_path / "out"
    assert command(f"--events={log}", f"--output={base}").returncode == 0
    arguments = [f"--events={later}", f"--output={output}", f"--baseline={base}"]
    run = command(*arguments)
    assert run.returncode == 2 and "Traceback" not in run.stderr
    assert "label_rate  events.click" in run.stderr and "0.05" in run.stderr
    assert "report.html" in run.stderr and (output / "report.html").exists()
    assert not (output / "statistics.json").exists()
    # Refused statistics are never a baseline.
    assert "neither" in command(*arguments[:2], f"--baseline={output}").stderr
    thresholds = tmp_path / "thresholds.json"
    thresholds.write_text(json.dumps({"label_rate": 0.01, "value_distance": None}))
    allowed = command(*arguments, f"--thresholds={thresholds}", "--max_drift=label_rate=0.5")
    assert allowed.returncode == 0, allowed.stderr
    assert "value_distance" not in allowed.stdout and "label_rate" in allowed.stdout


def test_a_log_whose_labels_are_elsewhere_is_inspected_without(tmp_path):
    columns = {name: one for name, one in sample.clean_log().items() if name != "click"}
    log = sample.write_log(tmp_path / "log", columns)
    refused = command(f"--events={log}", f"--output={tmp_path}/refused")
    assert refused.returncode == 2 and "no column 'click'" in refused.stderr
    run = command(f"--events={log}", "--labels=", f"--output={tmp_path}/out")
    assert run.returncode == 0, run.stderr
    statistics = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert statistics["log"]["labels"] == {} and statistics["log"]["rows"] == 6000


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "give --events"),
        (("--events=absent",), "absent"),
        (("--events=absent", "--max_drift=label_rate"), "name=value"),
        (("--events=absent", "--limit=users=0.1"), "Names are max_bad_fraction"),
        (("--examples=.",), "manifest.json"),
    ],
)
def test_wrong_flags_are_told(tmp_path, arguments, expected):
    run = command(f"--output={tmp_path}/out", *arguments)
    assert run.returncode == 2 and "Traceback" not in run.stderr
    assert expected in run.stderr


def test_joined_examples_are_compared_by_their_manifest(tmp_path):
    examples = synthetic.write_example_set(str(tmp_path / "examples"))
    again = inspection.inspect(
        None, {}, examples.folder, str(tmp_path / "out"),
        config=DriftConfig(baseline=examples.folder),
    )  # fmt: skip
    assert not again.assessment.is_bad and len(again.assessment.changes) > 5
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()


def test_pictures_say_what_the_figures_say(tmp_path):
    inspected(tmp_path, sample.clean_log(seed=1), name="base")
    rows = sample.clean_log(seed=2)
    shifted(rows)
    found = inspected(tmp_path, rows, config=DriftConfig(baseline=str(tmp_path / "base")))
    page = (tmp_path / "a" / "report.html").read_text()
    time = found.statistics["log"]["time"]
    for bucket in time["buckets"]:
        assert f": {bucket['events']:,} events</title>" in page
        label = bucket["labels"]["click"]
        share = f"{100 * label['positives'] / label['known']:.1f}%"
        # A rate of a few events says little and has no dot.
        drawn = f": {share} click of {label['known']:,}</title>" in page
        assert drawn == (label["known"] >= 30)
    for least, most, ids, events in found.statistics["log"]["columns"]["user_id"]["rows_per_id"]:
        tip = f"{ids:,} users with {least:,} to {most:,} events each: {events:,} events"
        assert tip in page
    for *_, vectors in found.statistics["embedding_sets"]["text"]["norm"]["histogram"]:
        assert f": {vectors:,} vectors</title>" in page
    (breach,) = [one for one in found.assessment.changes if one.is_breach]
    assert f"label rate of events.click: {breach.change:.3f} of 0.0500" in page
    assert f"1 of {len(found.assessment.changes)} measures changed more" in page
    # The one bar beyond its threshold ends where the axis does.
    width = min(breach.change / 0.05, 2) / 2 * (460 - 20 - 8)
    assert '<rect class="fill s3" x="8.0"' in page and f'width="{width:.1f}"' in page


def test_page_escapes_what_the_data_says(tmp_path):
    rows = sample.clean_log()
    evil = '<script>alert("1")</script>'
    rows[evil] = rows["country"]
    rows["item_id"][:4000] = evil
    inspected(tmp_path, rows)
    page = (tmp_path / "a" / "report.html").read_text()
    assert "<script" not in page and "&lt;script" in page


def test_page_without_statistics_has_no_new_section(tmp_path):
    render({"title": "T", "statistics": None, "assessment": None}, str(tmp_path / "r.html"))
    assert "<section" not in (tmp_path / "r.html").read_text()


@pytest.mark.slow
def test_run_stops_before_training_on_drift(tmp_path):
    examples = synthetic.write_example_set(str(tmp_path / "examples"))
    settings = ("--config=pipeline/configs/demo.py", f"--set=drift.baseline={examples.folder}")
    run = quick_python.run_job("pipeline.run", *settings, f"--output={tmp_path}/run")
    assert run.returncode == 2 and "Traceback" not in run.stderr
    assert "schema_changes" in run.stderr and "examples.liked" in run.stderr
    assert "train dmf" not in run.stderr
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {"data", "examples", "statistics"}
    names = {path.name for path in (tmp_path / "run" / "statistics").iterdir()}
    assert names == {"statistics.rejected.json", "report.html"}


def test_remote_data_have_the_same_statistics(s3, tmp_path):
    inspected(tmp_path, sample.clean_log(events=500))
    bucket = s3.upload(s3.bucket(), tmp_path, "data")
    remote = inspection.inspect(
        LogSource(f"{bucket}/a-log", ("click",)), {"text": f"{bucket}/a-text"}, None,
        str(tmp_path / "b"), config=DriftConfig(baseline=f"{bucket}/a"),
    )  # fmt: skip
    assert remote.assessment.changes and not remote.assessment.is_bad
    local = json.loads((tmp_path / "a" / "statistics.json").read_text())
    assert json.loads(json.dumps(remote.statistics)).items() <= local.items()
    with pytest.raises(UserInputError, match="remote"):
        inspection.inspect(LogSource(f"{bucket}/a-log", ("click",)), {}, None, f"{bucket}/c")
