"""What the join's flags refuse, and that all of them go together."""

import json

import numpy as np
import pytest

from features.embeddings import embedding_set
from features.errors import UserInputError
from pipeline.join.options import JoinOptions
from tests import quick_python
from tests.pipeline.join import logs

BAD = {
    "negatives": ({"negatives": "popular:4"}, "must be popularity:K or uniform:K"),
    "negatives_count": ({"negatives": "uniform:0"}, "K of at least 1"),
    "label_twice": (
        {"label_events": ["click = event == 'c'"], "label_logs": {"click": "folder"}},
        "['click'] are defined twice among derive_label, label_events and label_logs",
    ),
    "label_event_twice": (
        {"label_events": ["click = event == 'c'", "click = event == 'd'"]},
        "['click'] are defined twice",
    ),
    "derived_and_event": (
        {"derive_label": ["click = x > 1"], "label_events": ["click = event == 'c'"]},
        "['click'] are defined twice",
    ),
    "label_event_syntax": ({"label_events": ["event == 'c'"]}, "event == 'c'"),
    "label_not_recorded": (
        {"label_events": ["bought = event == 'b'"], "labels": ["click"]},
        "labels lacks ['bought']",
    ),
    "window_of_no_label": (
        {"label_events": ["click = event == 'c'"], "attribution_window": {"buy": 5}},
        "attribution_window names ['buy'], but label_events and label_logs have ['click']",
    ),
    "window_below_zero": (
        {"label_logs": {"click": "folder"}, "attribution_window": {"click": -5}},
        "attribution_window.click: Input should be greater than or equal to 0 (received -5)",
    ),
    "part_without_splits": ({"part": "d1"}, "part takes splits"),
    "part_with_fractions": ({"part": "d1", "split_fractions": [1, 0, 0]}, "part takes splits"),
    "part_with_histories": (
        {"part": "d1", "splits": "train:..5,test:5..", "histories": "folder"},
        "part and histories do not go together",
    ),
    "part_name": ({"part": "../d1", "splits": "train:.."}, "part: String should match pattern"),
    "two_splits": (
        {"split_column": "fold", "splits": "train:..5,test:5.."},
        "give splits or split_column, not both",
    ),
    "column_and_fractions": (
        {"split_column": "fold", "split_fractions": [1, 0, 0]},
        "give split_fractions or split_column, not both",
    ),
    "column_by_user": (
        {"split_column": "fold", "split_by": "user"},
        "split_by user takes split_fractions, not split_column",
    ),
    "behavior_type": ({"behavior_type": ["rating >= 4", "rating >"]}, "rating >"),
    "behavior_type_call": ({"behavior_type": "open('x')"}, "open('x')"),
    "history_types": ({"history_types": 0}, "history_types: Input should be greater than or"),
    "history_types_of_a_byte": ({"history_types": 129}, "should be less than or equal to 128"),
    "behavior_types_of_a_byte": ({"behavior_type": ["x > 1"] * 128}, "at most 127 items"),
    "strategy": ({"embedding_strategy": "magic"}, "'auto', 'broadcast' or 'shuffle'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_values_are_refused_with_what_was_received(case):
    values, message = BAD[case]
    with pytest.raises(UserInputError) as caught:
        JoinOptions.from_dict({"events": "log", "output": "out", **values})
    assert message in str(caught.value)


def run(tmp_path, *flags):
    return quick_python.run_job("pipeline.build_examples", f"--output={tmp_path}/out", *flags)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Flags that name inputs: a unified log, conversions apart, vectors, given histories."""
    folder = tmp_path_factory.mktemp("inputs")
    random = np.random.default_rng(0)
    views = [
        {
            "user_id": int(random.integers(8)),
            "item_id": int(random.integers(20)),
            "timestamp": 1000 + 10 * int(random.integers(60)),
            "request_id": number // 3,
            "rating": float(random.integers(1, 6)),
            "page": f"page-{number % 3}",
            "event": "view",
        }
        for number in range(120)
    ]
    clicks = [{**row, "timestamp": row["timestamp"] + 3, "event": "click"} for row in views[::2]]
    names = ("user_id", "item_id", "timestamp", "request_id", "rating")
    bought = [{name: row[name] for name in names} for row in clicks[::3]]
    given = [{"user_id": user, "item_id": [1, 2, 3], "type": [0, 1, 2]} for user in range(5)]
    vectors = random.standard_normal((20, 4)).astype(np.float32)
    embedding_set.write_embedding_set(str(folder / "text"), np.arange(20), vectors, "e", "1")
    return [
        f"--events={logs.write_log(folder / 'log', [*views, *clicks])}",
        f"--label_logs=conversion={logs.write_log(folder / 'bought', bought)}",
        f"--histories={logs.write_log(folder / 'given', given, files=1)}",
        f"--embeddings=text={folder / 'text'}",
    ]


SENSIBLE = (
    "--label_events=click = event == 'click'",
    "--attribution_window=click=30",
    "--attribution_window=conversion=3600",
    "--behavior_rule=click == 1 or conversion == 1",
    "--behavior_type=rating >= 2",
    "--behavior_type=rating >= 4",
    "--history_types=3",
    "--history_length=6",
    "--behavior_delay=2",
    "--context=page",
    "--negatives=popularity:2",
    "--max_candidates=5",
    "--partitions=2",
    "--embedding_strategy=shuffle",
    "--broadcast_limit_mib=1",
)


@pytest.mark.slow
@pytest.mark.parametrize("splits", [("--splits=train:..1400,test:1400..",), ("--split_by=user",)])
def test_all_flags_go_together(tmp_path, inputs, splits):
    done = run(tmp_path, *inputs, *SENSIBLE, *splits)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    counts = manifest["counts"]
    assert set(counts["attributed"]) == {"click", "conversion"}
    assert counts["attributed"]["click"] > 10 < counts["negatives"]["drawn"]
    assert counts["histories"]["behaviors"] == 15
    assert manifest["schema"]["behavior_types"] == 3
    assert "shuffle" in done.stderr
    again = run(tmp_path, *inputs, *SENSIBLE, *splits)
    assert again.returncode == 0
    assert "holds just this data set already: nothing to do" in again.stderr


@pytest.mark.slow
def test_a_part_by_its_flags(tmp_path, inputs):
    kept = [flag for flag in inputs if not flag.startswith("--histories")]
    values = [flag for flag in SENSIBLE if not flag.startswith("--history_types")]
    splits = "--splits=train:..1400,test:1400.."
    done = run(tmp_path, *kept, *values, splits, "--part=d1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "part=d1" / "manifest.json").is_file()
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["parts"] == ["d1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--attribution_window=click"], "--attribution_window 'click' must be label=SECONDS"),
        (["--attribution_window=conversion=-3"], "must be label=SECONDS"),
        (["--label_logs=conversion"], "--label_logs 'conversion' must be NAME=FOLDER"),
        (["--part=d1"], "part takes splits"),
    ],
)
def test_bad_flags_end_the_command_with_code_2(tmp_path, inputs, flags, message):
    done = run(tmp_path, *inputs, *flags)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
