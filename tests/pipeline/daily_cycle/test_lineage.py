"""Events of OpenLineage: what a server gets, and what a step loses where there is none."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import pytest

from features.errors import UserInputError
from features.files import manifest
from pipeline.daily_cycle import lineage
from pipeline.daily_cycle.config import CycleConfig
from pipeline.daily_cycle.cycle import PartRun, Step
from tests.conftest import REPOSITORY
from tests.pipeline.daily_cycle import lineage_server

PART = "2026-05-02"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder and a home without a configuration; the library sets variables of its own."""
    monkeypatch.chdir(tmp_path)
    with mock.patch.dict(os.environ, {"HOME": str(tmp_path), "NO_PROXY": "*"}):
        yield


@pytest.fixture
def server(monkeypatch, elsewhere):
    with lineage_server.started() as one:
        monkeypatch.setenv("OPENLINEAGE_URL", one.url)
        yield one


def part_run(work: Path, part: str = PART) -> PartRun:
    config = CycleConfig(
        work=str(work),
        events="s3://bucket/log/{part}/",
        embeddings={"text": "sets/text"},
        items="items.parquet",
        join={"splits": "train:..2030-01-01,test:2030-01-01.."},
    )
    return PartRun(config, part)


def step(name: str = "join", outcome=None, error=None) -> Step:
    def run(run: PartRun):
        if error is not None:
            raise error
        return outcome or {}

    return Step(name, run, lambda config: None)


def joined(work: Path) -> None:
    """Writes what the steps `inspect_log` and `join` leave, as far as lineage reads it."""
    columns = {"item_id": {"type": "int64"}, "click": {"type": "int8"}}
    sets = {"text": {"type": "fixed_size_list<element: halffloat>[32]"}}
    folder = work / "statistics" / PART / "log"
    folder.mkdir(parents=True)
    manifest.write_values(
        str(folder / "statistics.json"), {"log": {"columns": columns}, "embedding_sets": sets}
    )
    folder = work / "examples" / f"part={PART}"
    folder.mkdir(parents=True)
    values = {
        "counts": {"written": 7504},
        "embedding_sets": {"text": {"fingerprint": "05ed729a"}},
        "inputs": {"events": [{"name": "a.parquet"}], "items": []},
        "schema": {
            "labels": ["click"],
            "context_features": [{"name": "device", "kind": "categorical"}],
            "item_features": [{"name": "price", "kind": "numeric"}],
            "modalities": [{"name": "text", "dimension": 32}],
        },
    }
    manifest.write_manifest(str(folder), values)


def test_a_step_says_what_it_read_and_wrote_in_which_version(server, tmp_path):
    joined(tmp_path / "work")
    one = lineage.traced(step(outcome={"manifest": "f8ad3d"}))
    assert one.run(part_run(tmp_path / "work")) == {"manifest": "f8ad3d"}

    start, end = server.events
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert start["eventTime"] < end["eventTime"]
    assert end["job"]["namespace"] == "default" and end["job"]["name"] == "dmf.cycle.join"
    assert end["run"]["facets"]["parent"]["job"]["name"] == "dmf.cycle"
    log, text, items = end["inputs"]
    assert (log["namespace"], log["name"]) == ("s3://bucket", "log/{part}")
    fields = {one["name"]: one["type"] for one in log["facets"]["schema"]["fields"]}
    assert fields == {"item_id": "int64", "click": "int8"}
    assert (text["namespace"], text["name"]) == ("file", str(tmp_path / "sets/text"))
    assert text["facets"]["version"]["datasetVersion"] == "05ed729a"
    assert items["name"] == str(tmp_path / "items.parquet")
    (examples,) = end["outputs"]
    assert examples["name"] == str(tmp_path / "work/examples")
    assert examples["facets"]["version"]["datasetVersion"] == "f8ad3d"
    fields = {one["name"]: one["type"] for one in examples["facets"]["schema"]["fields"]}
    assert fields == {
        "click": "label",
        "device": "categorical",
        "price": "numeric",
        "text": "vector[32]",
    }
    assert examples["outputFacets"]["outputStatistics"]["rowCount"] == 7504
    assert start["outputs"] == []


def test_a_step_that_stops_the_part_sends_its_reason_and_stops_it(server, tmp_path):
    error = UserInputError("Half of the log is missing.")
    with pytest.raises(UserInputError, match="Half of the log"):
        lineage.traced(step(error=error)).run(part_run(tmp_path))
    _, end = server.events
    assert end["eventType"] == "FAIL"
    assert end["run"]["facets"]["errorMessage"]["message"] == "Half of the log is missing."


def test_a_run_has_the_same_id_however_often_it_is_run(server, tmp_path):
    ids = [
        lineage.run_id(part_run(work, part), name)
        for work, part, name in (
            (tmp_path, PART, "join"),
            (tmp_path, PART, "join"),
            (tmp_path, PART, "train"),
            (tmp_path, "2026-05-03", "join"),
            (tmp_path / "other", PART, "join"),
        )
    ]
    assert ids[0] == ids[1] and len(set(ids)) == 4
    lineage.traced(step()).run(part_run(tmp_path))
    assert {event["run"]["runId"] for event in server.events} == {ids[0]}


def test_without_a_server_nothing_is_changed():
    one = step()
    assert lineage.traced(one) is one


@pytest.mark.slow(seconds=8)
def test_without_a_server_nothing_is_loaded(tmp_path):
    code = (
        "import sys; from pipeline.daily_cycle import steps; steps.all_steps(); "
        "sys.exit('openlineage' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0


@pytest.mark.parametrize(
    ("variables", "files", "expected"),
    [
        ({"OPENLINEAGE_URL": "http://lineage:5000"}, [], True),
        ({"OPENLINEAGE_URL": ""}, [], False),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "console"}, [], True),
        ({"OPENLINEAGE_CONFIG": "there.yml"}, [], True),
        ({}, ["openlineage.yml"], True),
        ({}, [".openlineage/openlineage.yml"], True),
        ({"OPENLINEAGE_URL": "http://lineage:5000", "OPENLINEAGE_DISABLED": "True"}, [], False),
    ],
)
def test_the_librarys_own_configuration_decides(tmp_path, monkeypatch, variables, files, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert lineage.is_configured() == expected


def test_without_the_library_a_step_runs_and_its_extra_is_named(monkeypatch, caplog):
    monkeypatch.setenv("OPENLINEAGE_URL", "http://lineage:5000")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    one = step()
    assert lineage.traced(one) is one
    assert "pip install 'dmf-ctr[lineage]'" in caplog.text


def _silent(listening: socket.socket) -> None:
    """Takes connections, and says nothing."""
    kept = []
    with contextlib.suppress(OSError):
        while True:
            kept.append(listening.accept())


def _dripping(listening: socket.socket) -> None:
    """Answers with a byte now and then: no time limit per read is ever reached."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_drip, args=[connection], daemon=True).start()


def _drip(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            connection.sendall(b"a")
            time.sleep(0.05)


@pytest.mark.parametrize("behavior", [_silent, _dripping])
def test_a_server_that_hangs_costs_a_bounded_time(tmp_path, monkeypatch, caplog, behavior):
    from openlineage.client import OpenLineageClient  # noqa: F401  Loaded, which takes its time.

    monkeypatch.setattr(lineage, "LONGEST_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=behavior, args=[listening], daemon=True).start()
        monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        one = lineage.traced(step(outcome={"a": 1}))
        began = time.monotonic()
        assert one.run(part_run(tmp_path)) == {"a": 1}
        assert 1 <= time.monotonic() - began < 4
    assert "COMPLETE of join was not sent: no answer within 0.5 s." in caplog.text


def test_a_server_that_is_down_costs_no_step(tmp_path, monkeypatch, caplog):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{one.getsockname()[1]}")
    monkeypatch.setattr(lineage, "LONGEST_SECONDS", 1.0)
    assert lineage.traced(step(outcome={"a": 1})).run(part_run(tmp_path)) == {"a": 1}
    assert "START of join was not sent" in caplog.text
