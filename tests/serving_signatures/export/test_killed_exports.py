"""Real exports, killed: one of two while its model is verified, and one at any moment."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from features.files import staging
from serving_signatures.export.saved_model import export_saved_model
from serving_signatures.versions.export_folder import ExportFolder
from tests.conftest import REPOSITORY
from tests.serving_signatures import exports, serving

EXPORT = (
    "import sys\n"
    "from serving_signatures.export.saved_model import export_saved_model\n"
    "from tests.serving_signatures import serving\n"
    "model = serving.random_model(name='id_only', seed=1)\n"
    "export_saved_model(model, sys.argv[1], batch_sizes=(1,))\n"
)


def workspace_of(process, folder, holding=staging.MARKER):
    """The folder that a process builds in, once it holds something."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        for mark in folder.glob(f".building-*/{staging.MARKER}"):
            with contextlib.suppress(FileNotFoundError):  # Of a process that has just ended.
                owned = f"process {process.pid} on" in mark.read_text()
                if owned and (mark.parent / holding).exists():
                    return mark.parent
        time.sleep(0.05)
    raise AssertionError(f"the export did not come to {holding}")


@pytest.mark.slow(seconds=30)
def test_a_killed_export_disturbs_neither_another_one_nor_the_next(tmp_path):
    folder = tmp_path / "ctr"
    command = [sys.executable, "-c", EXPORT, str(folder)]
    with contextlib.ExitStack() as ending:

        def being_verified():
            process = subprocess.Popen(command, cwd=REPOSITORY)
            ending.callback(process.wait)
            ending.callback(process.kill)
            return process, workspace_of(process, folder, "cases")

        other, _ = being_verified()
        other.send_signal(signal.SIGSTOP)  # It is there for as long as the victim.
        victim, left = being_verified()
        victim.kill()
        victim.wait()
        other.send_signal(signal.SIGCONT)
        assert other.wait(timeout=300) == 0
    (version,) = ExportFolder(str(folder)).versions()
    assert version.damage() == []
    assert exports.hidden(folder) == [left.name, f"{left.name}.lock"]
    model = serving.random_model(name="id_only", seed=1)
    again = export_saved_model(model, str(folder), batch_sizes=(1,))
    assert Path(again.folder).name == "2"
    assert sorted(os.listdir(folder)) == [".lock", "1", "2"]
    sample = serving.requests((2, 5, 4), {})
    for number in ("1", "2"):
        loaded = tf.saved_model.load(str(folder / number))
        received = serving.score(loaded.signatures, "score_request", sample)
        serving.assert_same(received, serving.oracle(model, sample))


@pytest.mark.slow(seconds=60)
@pytest.mark.guarantee("killed", "export")
def test_exports_killed_at_any_moment_leave_the_versions_before_and_a_rerun_finishes(
    tmp_path, kills
):
    folder = tmp_path / "ctr"
    command = [sys.executable, "-c", EXPORT, str(folder)]
    whole = subprocess.Popen(command, cwd=REPOSITORY)
    workspace_of(whole, folder)
    begin = time.monotonic()
    assert whole.wait(timeout=300) == 0
    seconds = time.monotonic() - begin
    random, killed = np.random.default_rng(0), 0
    for _ in range(max(3, kills // 7)):
        before = ExportFolder(str(folder)).versions()
        process = subprocess.Popen(command, cwd=REPOSITORY)
        workspace_of(process, folder)
        time.sleep(random.uniform(0, seconds))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        after = ExportFolder(str(folder)).versions()
        assert [one.number for one in after][: len(before)] == [one.number for one in before]
        assert len(after) <= len(before) + 1
        assert all(one.damage() == [] for one in after)
    assert killed
    model = serving.random_model(name="id_only", seed=1)
    again = export_saved_model(model, str(folder), batch_sizes=(1,))
    assert Path(again.folder).name == str(len(after) + 1)
    assert exports.hidden(folder) == []
    loaded = tf.saved_model.load(str(folder / "1"))
    sample = serving.requests((2, 5, 4), {})
    received = serving.score(loaded.signatures, "score_request", sample)
    serving.assert_same(received, serving.oracle(model, sample))
