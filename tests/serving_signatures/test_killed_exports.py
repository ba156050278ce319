"""Real exports: two at once, one of them killed while its model is verified."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf

from serving_signatures.export import export_saved_model
from serving_signatures.export_folder import ExportFolder
from tests.conftest import REPOSITORY
from tests.serving_signatures import exports, serving

EXPORT = (
    "import sys\n"
    "from serving_signatures.export import export_saved_model\n"
    "from tests.serving_signatures import serving\n"
    "model = serving.random_model(name='id_only', seed=1)\n"
    "export_saved_model(model, sys.argv[1], batch_sizes=(1,))\n"
)


def workspace_of(process, folder):
    """The folder that a process builds in, once its model is being verified."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        for lock in folder.glob(".building-*/lock"):
            if f"process {process.pid} on" in lock.read_text() and (lock.parent / "cases").exists():
                return lock.parent
        time.sleep(0.05)
    raise AssertionError("the export did not come to its verification")


@pytest.mark.slow
def test_a_killed_export_disturbs_neither_another_one_nor_the_next(tmp_path):
    folder = tmp_path / "ctr"
    command = [sys.executable, "-c", EXPORT, str(folder)]
    victim, other = (subprocess.Popen(command, cwd=REPOSITORY) for _ in range(2))
    try:
        left = workspace_of(victim, folder)
        victim.send_signal(signal.SIGKILL)
        assert other.wait(timeout=300) == 0
    finally:
        for process in (victim, other):
            process.kill()
            process.wait()
    (version,) = ExportFolder(str(folder)).versions()
    assert version.damage() == []
    assert exports.hidden(folder) == [left.name]
    model = serving.random_model(name="id_only", seed=1)
    again = export_saved_model(model, str(folder), batch_sizes=(1,))
    assert Path(again.folder).name == "2"
    assert sorted(os.listdir(folder)) == [".lock", "1", "2"]
    sample = serving.requests((2, 5, 4), {})
    for number in ("1", "2"):
        loaded = tf.saved_model.load(str(folder / number))
        received = serving.score(loaded.signatures, "score_request", sample)
        serving.assert_same(received, serving.oracle(model, sample))
