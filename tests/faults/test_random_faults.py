"""Each job that writes, under faults at random moments: its bytes or a sentence, never other bytes.

`--kills 400` tries 40 faults a job instead of 1.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from tests import faults, quick_python
from tests.conftest import REPOSITORY
from tests.faults import jobs

POINTS = (
    *("os:rename", "os:replace", "os:fsync", "os:remove", "os:mkdir", "os:makedirs"),
    *("os:listdir", "os:stat", "shutil:rmtree", "json:dumps", "json:loads"),
    *("features.files.storage:OutputFile.__enter__", "features.files.storage:OutputFile.__exit__"),
    *("features.files.storage:read_bytes", "features.files.storage:list_files"),
    *("features.files.manifest:write_values", "features.files.manifest:read_values"),
    *("features.files.staging:begin", "features.files.staging:publish"),
    *("features.files.staging:remove_leftover", "features.files.versions:publish"),
    *("features.files.checked:verify", "features.files.locks:locked"),
)
DETERMINISTIC = {"train": ("--set=training.deterministic=True",)}
READS = {
    "inspect_data": ("market/impressions", "market/embeddings"),
    "ingest_embeddings": ("market/embeddings",),
    "build_examples": ("market/impressions", "market/embeddings"),
    "build_vocabulary": ("examples",),
    "train": ("examples",),
    "evaluate": ("examples", "model/weights", "model/vocabulary", "model/model.json"),
    "export": ("model/weights", "model/vocabulary", "examples", "market/embeddings"),
    "check_skew": ("serving/1", "examples"),
    "backfill": ("serving/1/variables", "serving/1/saved_model.pb", "market/items"),
}
"""What a job reads of a world, of formats in which a cut file is never a whole one."""

SENTENCE_CODES = (2, 75)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    jobs.make_world(folder)
    return folder


def command(job, world, output):
    arguments = [*jobs.arguments(job, world, output), *DETERMINISTIC.get(job, ())]
    return [quick_python.executable(), "-m", f"pipeline.{job}", *arguments]


def run(job, world, output, seconds=None, **options):
    """Runs a job; kills it after so many seconds."""
    started = subprocess.Popen(
        command(job, world, output),
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        _, text = started.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        started.kill()
        _, text = started.communicate()
    return started.returncode, text


def contents(folder):
    """Returns the sha256 of each file by name; versions of an export all count as version 1."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "tfevents" not in path.name:
            first, *rest = path.relative_to(folder).parts
            name = "/".join([("1" if first.isdecimal() else first), *rest])
            found.setdefault(name, set()).add(hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def whole(job, world, folder):
    """Returns what a job writes: the bytes of a file, or None where they differ by the run."""
    for name in ("one", "two"):
        code, text = run(job, world, folder / name)
        assert code == 0, text
    one, two = contents(folder / "one"), contents(folder / "two")
    assert one.keys() == two.keys()
    same = {name: bytes_ if bytes_ == two[name] else None for name, bytes_ in one.items()}
    if job == "export":
        by_run = [name for name, bytes_ in same.items() if bytes_ is None]
        assert all(name.startswith("1/assets.extra/") for name in by_run), by_run
    return same


def differences(found, expected, text):
    """Returns the names of files that are missing, too many, or other ones.

    Diagnostics that a job could not write are named in its output, and may be missing.
    """
    other = [name for name, one in expected.items() if one and found.get(name, one) != one]
    return sorted(
        name
        for name in {*(found.keys() ^ expected.keys()), *other}
        if f"Left out: {name} " not in text
    )


def drawn(draw, job, world, spare, seconds):
    """Returns a fault for `faults.environment`, or seconds until a kill, and what is to restore."""
    kind = draw.choice(["kill later", "kill", "ENOSPC", "EIO", "replace"])
    moment, point = draw.choice(["before", "after"]), draw.choice(POINTS)
    call = int(2 ** draw.uniform(0, 4))
    if kind == "kill later":
        return None, draw.uniform(0.05, 1) * seconds, None
    if kind == "replace" and job in READS:
        folder = world / draw.choice(READS[job])
        paths = (
            [folder] if folder.is_file() else [one for one in folder.rglob("*") if one.is_file()]
        )
        target = draw.choice(sorted(paths))
        data = target.read_bytes()
        spare.write_bytes(data[: draw.randrange(len(data))] if data else b"x")
        if draw.random() < 0.3:
            spare.unlink()  # So that the target is removed.
        fault = ("replace", moment, point, call, "*", target, spare)
        return fault, None, (target, data)
    fault = "kill" if kind == "replace" else kind
    return f"{fault} {moment} {point} {call}", None, None


@pytest.mark.slow(seconds=20)
@pytest.mark.guarantee("killed", "simulate", "convert", "inspect_data", "ingest_embeddings")
@pytest.mark.guarantee("killed", "build_examples", "build_vocabulary", "train", "evaluate")
@pytest.mark.guarantee("killed", "export", "check_skew", "backfill")
@pytest.mark.guarantee("replaced", "inspect_data", "ingest_embeddings", "build_examples")
@pytest.mark.guarantee("replaced", "build_vocabulary", "train", "evaluate", "export")
@pytest.mark.guarantee("replaced", "check_skew", "backfill")
@pytest.mark.parametrize("job", jobs.ARGUMENTS)
def test_a_fault_at_a_random_moment_leaves_no_other_bytes(job, world, tmp_path, kills):
    begun = time.monotonic()
    expected = whole(job, world, tmp_path / "whole")
    seconds = (time.monotonic() - begun) / 2
    ends = {}
    for number in range(max(1, kills // 10)):
        draw = random.Random(f"{job} {number}")
        folder, spare = tmp_path / str(number), tmp_path / "spare"
        fault, until, changed = drawn(draw, job, world, spare, seconds)
        environment = faults.environment(*([fault] if fault else []))
        code, text = run(job, world, folder / "out", until, env=environment)
        what = f"{job} {number}: {fault or until}: exit code {code}\n{text}"
        ends[code] = ends.get(code, 0) + 1
        if changed is not None:
            changed[0].write_bytes(changed[1])
        if code == 0:
            assert not differences(contents(folder / "out"), expected, text), what
        elif code != -signal.SIGKILL:
            assert code in SENTENCE_CODES, what
            assert "Traceback" not in text and "Error: " in text, what
        code, then = run(job, world, folder / "out")
        assert code == 0, f"{what}\nthen {then}"
        assert not differences(contents(folder / "out"), expected, text), what
        left = sorted(os.listdir(folder))
        assert left == ["out"], f"{what}\nleft {left}"
        shutil.rmtree(folder)
    print(f"{job}: {ends}")
