"""The daily cycle as a DAG, in a real Airflow: `make test-airflow`."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.daily_cycle import ledger, steps
from tests import quick_python
from tests.conftest import REPOSITORY
from tests.docker.airflow_cluster import DAG_FILE, Airflow
from tests.pipeline.daily_cycle import lineage_server

pytestmark = pytest.mark.slow(seconds=30)

# Reads DAG files as Airflow does, and prints what they hold.
PARSE = """
import dataclasses, json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

bag = DagBag(sys.argv[1])
shown = {"errors": {path.rpartition("/")[2]: text for path, text in bag.import_errors.items()}}
for name, dag in bag.dags.items():
    core = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    runs = []
    first = dag.get_task("inspect_log")
    for info in core.iter_dagrun_infos_between(dag.start_date, dag.end_date or dag.start_date):
        runs.append([str(info.run_after), first._settings.part(info.data_interval.start)])
    order = [first.task_id]
    while followers := dag.get_task(order[-1]).downstream_task_ids:
        (follower,) = followers
        order.append(follower)
    shown[name] = {
        "order": order,
        "runs": runs,
        "catchup": dag.catchup,
        "active": dag.max_active_runs,
        "past": all(task.depends_on_past for task in dag.tasks),
        "command": first._settings.command("PART", "STEP"),
    }
shown["settings"] = {
    field.name: "required" if field.default is dataclasses.MISSING else field.default
    for field in dataclasses.fields(first._settings)
}
ours = ("tensorflow", "apache_beam", "pipeline", "features", "models", "serving_signatures")
shown["loaded"] = sorted({name.split(".")[0] for name in sys.modules} & set(ours))
print(json.dumps(shown))
"""

# Stands for the Python that has pipeline.submit: notes its words, and exits as it is told to.
FAKE = """#!{python} -IS
import json, pathlib, sys, time
folder = pathlib.Path({folder!r})
flags = dict(word[2:].partition("=")[::2] for word in sys.argv if word.startswith("--"))
with open(folder / "calls", "a") as calls:
    calls.write(json.dumps([time.time(), *sys.argv[1:]]) + "\\n")
codes = folder / (flags["part"] + "." + flags["step"])
code, *rest = json.loads(codes.read_text()) if codes.exists() else [0]
codes.write_text(json.dumps(rest or [0]))
print("Error: something is wrong" if code == 2 else "")
sys.exit(code)
"""

HOSTILE = "/data/$(touch pwned) {{ ds }} `touch pwned`; touch pwned '.py"


def settings(**changes: object) -> str:
    """Returns settings as JSON: two days of a log, and pauses as a test can wait for them."""
    values = {
        "python": "python",
        "config": "production.py",
        "start": "2024-01-01",
        "end": "2024-01-02",
        "target": "local",
        "retry_seconds": 1,
        "delay_minutes": 120,
        **changes,
    }
    return json.dumps(values)


@pytest.fixture(scope="module")
def venv() -> Path:
    """The environment that `make test-airflow` sets up."""
    folder = REPOSITORY / "build/airflow"
    if (folder / ".installed").exists():
        return folder
    message = f"no Airflow at {folder}: 'make test-airflow' installs it"
    if os.environ.get("REQUIRE_AIRFLOW") == "1":
        pytest.fail(f"{message} (REQUIRE_AIRFLOW=1)")
    pytest.skip(message)


@pytest.fixture(scope="module")
def parsed(venv, tmp_path_factory) -> dict:
    """What Airflow reads from the DAG file with several settings, good and bad."""
    airflow = Airflow(venv, tmp_path_factory.mktemp("parsing"))
    airflow.add("shipped", (DAG_FILE.with_suffix(".json")).read_text(encoding="utf-8"))
    airflow.add("daily", settings())
    airflow.add("compact", settings(part_format="%Y%m%d", end="2024-01-01"))
    hours = {"every": "hour", "delay_minutes": 15, "start": "2024-01-01T22"}
    airflow.add("hourly", settings(**hours, end="2024-01-02T00"))
    container = {"python": "/opt/dmf/bin/python", "submission": "cluster.py"}
    for target in ("docker", "kubernetes"):
        airflow.add(target, settings(**container, config="/data/production.py", target=target))
    airflow.add("unknown", settings(retires=3))
    airflow.add("kind", settings(retries="3"))
    airflow.add("late", settings(delay_minutes=1440))
    airflow.add("format", settings(part_format="%d-%m-%Y"))
    airflow.add("slash", settings(part_format="%Y/%m/%d"))
    airflow.add("start", settings(start="yesterday"))
    airflow.add("target", settings(target="moon"))
    (airflow.home / "parse.py").write_text(PARSE)
    printed = airflow.run("python", str(airflow.home / "parse.py"), str(airflow.dags))
    return json.loads(printed.splitlines()[-1])


def test_the_dag_has_the_steps_of_the_cycle_in_a_row_and_loads_nothing_of_ours(parsed):
    assert parsed["loaded"] == []
    for name in ("shipped", "daily", "hourly"):
        assert parsed[name]["order"] == [step.name for step in steps.all_steps()]
        assert parsed[name]["catchup"] and parsed[name]["active"] == 1 and parsed[name]["past"]


def test_each_part_runs_once_after_its_end(parsed):
    assert parsed["daily"]["runs"] == [
        ["2024-01-02 02:00:00+00:00", "2024-01-01"],
        ["2024-01-03 02:00:00+00:00", "2024-01-02"],
    ]
    assert [part for _, part in parsed["compact"]["runs"]] == ["20240101"]
    assert parsed["hourly"]["runs"] == [
        ["2024-01-01 23:15:00+00:00", "2024-01-01T22"],
        ["2024-01-02 00:15:00+00:00", "2024-01-01T23"],
        ["2024-01-02 01:15:00+00:00", "2024-01-02T00"],
    ]


def test_the_page_has_the_settings(parsed):
    page = (REPOSITORY / "docs/daily_cycle.md").read_text(encoding="utf-8")
    section = page.partition("### Settings of the DAG")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", section, re.MULTILINE))
    assert {name: default.strip("`") for name, default in rows.items()} == {
        name: "none" if default is None else str(default)
        for name, default in parsed["settings"].items()
    }


CLUSTER = """
def get_config():
    return {"image": "registry.example/dmf-worker:1.2.3", "volumes": ["ctr-data:/data"]}
"""
# Notes what it is given, and fails where it would run something.
TOOL = """#!{python} -IS
import json, pathlib, sys
if {verb!r} in sys.argv:
    text = sys.stdin.read() if {verb!r} == "apply" else ""
    pathlib.Path({output!r}).write_text(json.dumps([text, *sys.argv[1:]]))
    sys.exit(75)
"""


@pytest.mark.parametrize(
    ("target", "tool", "verb"), [("docker", "docker", "run"), ("kubernetes", "kubectl", "apply")]
)
def test_a_task_runs_what_a_dry_run_prints(parsed, tmp_path, target, tool, verb):
    (tmp_path / "cluster.py").write_text(CLUSTER)
    output = tmp_path / "given.json"
    program = tmp_path / tool
    program.write_text(TOOL.format(python=sys.executable, verb=verb, output=str(output)))
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(REPOSITORY)

    def run(command: list[str]) -> subprocess.CompletedProcess:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    python, *words = parsed[target]["command"]
    assert python == "/opt/dmf/bin/python"
    words[-2:] = ["--part=2024-01-01", "--step=join"]
    done = run([sys.executable, *words])
    assert done.returncode == 75, done.stderr
    text, *arguments = json.loads(output.read_text())

    words.insert(words.index("--"), "--dry_run")
    printed = run([sys.executable, *words]).stdout
    assert "pipeline.cycle" in printed and "--step=join" in printed
    assert printed == (text if target == "kubernetes" else f"{shlex.join([tool, *arguments])}\n")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unknown", r"received \['retires'\], expected settings among python, config"),
        ("kind", "retries='3': expected int"),
        ("late", "delay_minutes=1440: expected less than the part's day"),
        ("format", "part_format='%d-%m-%Y': expected names that ascend with time"),
        ("slash", r"received \['2024/01/01', '2024/01/02'\]"),
        ("start", "start='yesterday': expected the day of a part, UTC, as in 2026-05-01"),
        ("target", "target='moon': expected one of .*local, docker, kubernetes"),
    ],
)
def test_wrong_settings_are_errors_that_airflow_shows(parsed, name, expected):
    assert re.search(expected, parsed["errors"][f"{name}.py"])
    assert name not in parsed


def test_the_scheduler_catches_up_retries_75_and_stops_at_2(venv, tmp_path):
    airflow = Airflow(venv, tmp_path / "home")
    fake = tmp_path / "python"
    fake.write_text(FAKE.format(python=sys.executable, folder=str(tmp_path)))
    fake.chmod(0o755)
    (tmp_path / "2024-01-01.join").write_text("[75, 75, 137, 0]")
    (tmp_path / "2024-01-02.inspect_examples").write_text("[2]")
    values = {"python": str(fake), "config": HOSTILE, "folder": str(tmp_path), "end": "2024-01-03"}
    airflow.add("cycle", settings(**values))

    with airflow.running():
        airflow.wait_until(lambda: "failed" in dict(airflow.runs("cycle")).values(), 600)
        airflow.wait_until(lambda: airflow.is_paused("cycle"), 60)

    assert airflow.runs("cycle") == [("2024-01-01 02", "success"), ("2024-01-02 02", "failed")]
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    steps = [tuple(word.partition("=")[2] for word in call[-2:]) for call in calls]
    parts = [part for part, _ in steps]
    assert parts == sorted(parts), "one part after the other"
    assert [step for part, step in steps if part == "2024-01-02"] == [
        *("inspect_log", "join", "inspect_examples"),
    ]
    times = [call[0] for call, (_, step) in zip(calls, steps, strict=True) if step == "join"][:4]
    pauses = [after - before for before, after in pairwise(times)]
    assert len(times) == 4 and pauses[0] >= 1 and pauses[1] >= 2 and pauses[2] >= 4
    tries = {(task.run[-25:-15], task.name): task for task in airflow.tasks("cycle")}
    assert {task.tries for task in tries.values() if task.name == "join"} == {4, 1}
    (stopped,) = [task for task in tries.values() if task.state == "failed"]
    assert (stopped.name, stopped.tries) == ("inspect_examples", 1)
    assert all(call[1:8] == calls[0][1:8] and f"--config={HOSTILE}" in call for call in calls)
    assert not list(tmp_path.rglob("pwned"))
    logs = "".join(path.read_text() for path in airflow.home.rglob("*.log"))
    assert "Error: something is wrong" in logs, "the reason, where a person looks"


# Limits that a market this small keeps.
DAY = "2024-01-01"
PRODUCTION = """
def get_config():
    wide = {"auc_fall": 1.0, "calibration_band": 1000.0, "slice_calibration_band": 1000.0}
    losses = ("certain_loss", "loss", "slice_certain_loss", "max_ne")
    losses += ("calibration_loss", "slice_calibration_loss", "calibration_band")
    fewest = {"min_auc": 0.0, "min_users": 1, "min_positives": 1}
    distances = ("label_rate", "value_distance", "activity_distance", "request_distance")
    return {
        "work": "work",
        "events": "log/{part}",
        "embeddings": {"text": "market/embeddings/text"},
        "items": "market/items",
        "join": {
            "timestamp_unit": "ms",
            "splits": "train:..2030-01-01,test:2030-01-01..",
            "partitions": 3,
        },
        "drift": dict.fromkeys(distances),
        "champion": wide,
        "model": {"hidden": (8,)},
        "training": {"epochs": 1},
        "export": {"batch_sizes": (1,)},
        "gate": {**dict.fromkeys(losses, 1000.0), **fewest},
        "caches": {"items": "market/items"},
    }
"""


@pytest.fixture
def market(tmp_path) -> Path:
    """A folder with the log of a day, and a configuration of the cycle."""
    sizes = ("--events=2000", "--users=100", "--items=80", "--days=1", "--modalities=text:8")
    made = quick_python.run_job("pipeline.simulate", *sizes, f"--output={tmp_path}/market")
    assert made.returncode == 0, made.stderr
    shutil.copytree(tmp_path / "market/impressions", tmp_path / "log" / DAY)
    (tmp_path / "production.py").write_text(PRODUCTION)
    return tmp_path


def test_a_day_goes_from_log_to_promoted_model(venv, market):
    airflow = Airflow(venv, market / "home")
    python = market / "python"
    with lineage_server.started() as lineage:
        # The Python of the tests with their variables, not Airflow's.
        paths = f"{REPOSITORY}:{os.environ.get('PYTHONPATH', '')}"
        variables = {**os.environ, "PYTHONPATH": paths}
        variables |= {"OPENLINEAGE_URL": lineage.url, "NO_PROXY": "*"}
        given = " ".join(shlex.quote(f"{name}={value}") for name, value in variables.items())
        python.write_text(f'#!/bin/sh\nexec env -i {given} {quick_python.executable()} "$@"\n')
        python.chmod(0o755)
        airflow.add("cycle", settings(python=str(python), folder=str(market), end=DAY))
        with airflow.running():
            airflow.wait_until(lambda: len(airflow.ended("cycle")) == 1, 1800)

    assert airflow.ended("cycle") == ["success"]
    names = [step.name for step in steps.all_steps()]
    records = ledger.Ledger(str(market / "work/cycle"), DAY)
    assert all(records.done(name) is not None for name in names)
    assert records.done("promote").outcome["version"] == 1
    assert [
        (event["job"]["name"].removeprefix("dmf.cycle."), event["eventType"])
        for event in lineage.events
    ] == [(name, state) for name in names for state in ("START", "COMPLETE")]
    datasets = [
        {one["name"] for one in event["inputs"]} & wrote
        for event, wrote in zip(lineage.events, written(lineage.events), strict=True)
    ]
    assert all(datasets[2 * names.index(name)] for name in ("inspect_examples", "train", "export"))


def written(events: list[dict]) -> list[set[str]]:
    """Returns for each event what was written before it."""
    found, before = [], set()
    for event in events:
        found.append(set(before))
        before |= {one["name"] for one in event["outputs"]}
    return found
