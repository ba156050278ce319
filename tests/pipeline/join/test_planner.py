"""In how many partitions and processes a log is joined; neither changes a record."""

import contextlib
import os
import signal
import threading
import types

import psutil
import pytest

from features.errors import RetryError
from pipeline.checkup import machine
from pipeline.join import job, planner
from pipeline.join.job import build_examples
from pipeline.runtime import exit_codes
from pipeline.runtime.beam_options import leaves_processes_open, parse_beam_options
from tests.pipeline.join import joins, logs

MIB = 1 << 20


def partitions(events, widths=(), **values):
    """Returns how many partitions the planner chooses."""
    names = [f"modality{number}" for number in range(len(widths))]
    options = joins.options("log", "out", embeddings=dict.fromkeys(names, "set"), **values)
    files = {
        name: types.SimpleNamespace(dimension=width, rows=10)
        for name, width in zip(names, widths, strict=True)
    }
    return planner.decide(options, events, files).partitions


@pytest.mark.parametrize(
    ("events", "expected"),
    [(1, 1), (25_000, 1), (25_001, 2), (300_000, 12), (400_000, 16), (5_000_000, 16)],
)
def test_small_logs_have_partitions_for_cores(events, expected):
    assert partitions(events) == expected


def test_partitions_of_large_logs_are_bounded_by_rows():
    assert partitions(100_000_000, history_length=1) == 200


def test_partitions_of_large_logs_are_bounded_by_bytes():
    # 128 + 64 for its vectors, 2 codes per behavior, and a quarter of 200 behaviors of 15 bytes.
    size = 100_000_000 * (128 + 64 + 400 + 200 * 15 // 4)
    assert partitions(100_000_000, (128, 64), history_length=200) == -(-size // (256 * MIB))
    alone = partitions(100_000_000, (128, 64), history_length=200, candidate_embeddings=())
    assert alone == -(-(size - 192 * 100_000_000) // (256 * MIB))


@pytest.mark.parametrize("values", [{"part": "a", "splits": "train:.."}, {"histories": "sets"}])
def test_partitions_stay_small_where_users_have_more_than_their_rows(values):
    assert partitions(10_000_000, **values) == 400


def test_a_number_of_partitions_that_is_given():
    assert partitions(100_000_000, partitions=7) == 7


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), True),
        (("--direct_num_workers=1",), False),
        (("--direct_running_mode=multi_threading",), False),
        (("--runner=FlinkRunner",), False),
    ],
)
def test_a_flag_decides_about_processes(flags, expected):
    assert leaves_processes_open(parse_beam_options(flags), flags) == expected


def machine_of(**values):
    values = {"cpus": 2, "cpu_quota": None, "memory_free": 8 << 30, **values}
    return machine.Machine(memory=64 << 30, memory_limit=None, gpu_device=False, **values)


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (machine_of(), 2),
        (machine_of(cpu_quota=1.5), 1),
        (machine_of(cpus=64, memory_free=3 << 30), 3),
        (machine_of(cpus=64, memory_free=100 << 30), 4),
        (machine_of(memory_free=0), 1),
    ],
    ids=["cores", "quota", "memory", "partitions", "none"],
)
def test_processes_fit_the_machine(here, expected, monkeypatch, tmp_path):
    monkeypatch.setattr(job, "_ROWS_FOR_PROCESSES", 1)
    monkeypatch.setattr(machine, "read", lambda: here)
    found = []

    def stop(options, processes):
        found.append(processes)
        raise InterruptedError

    monkeypatch.setattr(job, "open_pipeline", stop)
    log, _ = joins.random_log(tmp_path / "log")
    with pytest.raises(InterruptedError):
        build_examples(joins.options(log, tmp_path / "examples", partitions=4))
    assert found == [expected]


@pytest.mark.slow(seconds=20)
def test_a_large_log_is_joined_in_processes(monkeypatch, tmp_path, capfd):
    log, _ = joins.random_log(tmp_path / "log")
    build_examples(joins.options(log, tmp_path / "one", partitions=4))
    monkeypatch.setattr(job, "_ROWS_FOR_PROCESSES", 1)
    monkeypatch.setattr(machine, "read", machine_of)
    capfd.readouterr()
    build_examples(joins.options(log, tmp_path / "two", partitions=4))
    assert joins.shard_hashes(tmp_path / "two") == joins.shard_hashes(tmp_path / "one")
    lines = sorted(capfd.readouterr().err.splitlines())
    assert lines and all(line.startswith("Partition ") for line in lines), lines


@pytest.mark.slow(seconds=25)
@pytest.mark.parametrize("after_seconds", [0.05, 2.5], ids=["as it starts", "at work"])
def test_a_process_that_is_killed(after_seconds, monkeypatch, tmp_path):
    """At its start Beam alone would wait for it without end."""
    monkeypatch.setattr(job, "_ROWS_FOR_PROCESSES", 1)
    monkeypatch.setattr(machine, "read", machine_of)
    log = logs.write_log(tmp_path / "log", logs.random_rows(3, events=20_000, users=3_000))
    ended = threading.Event()

    def kill():
        while not ended.wait(0.01):
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    own = child.cmdline()[-1:] == ["pipeline.runtime.beam_worker"]
                    if own and child.cpu_times().user >= after_seconds:
                        os.kill(child.pid, signal.SIGKILL)
                        return

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        with pytest.raises((RetryError, RuntimeError)) as caught:
            build_examples(joins.options(log, tmp_path / "examples", partitions=1000))
    finally:
        ended.set()
        killer.join()
    code, sentence = exit_codes.of(caught.value)
    assert code == exit_codes.RETRY and "fewer workers (--direct_num_workers)" in sentence
    assert not (tmp_path / "examples").exists()
