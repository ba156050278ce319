"""Promotions and prunings, killed: the configuration is the one before or a whole new one."""

import random
import signal
import subprocess
import sys
import time

import pytest

from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.rollout import Rollout
from tests.conftest import REPOSITORY
from tests.serving_signatures import exports

RELEASE = """
import itertools
import sys
from pipeline.releases.model_versions import ModelVersions
from tests.serving_signatures import exports
for number in itertools.count(1):
    exports.publish(sys.argv[1], str(number))
    versions = ModelVersions(sys.argv[1])
    versions.promote()
    versions.promote(label="stable", without_gate="a test")
    print(number, flush=True)
    versions.prune(3)
"""


@pytest.mark.slow(seconds=30)
@pytest.mark.guarantee("killed", "models")
def test_killed_at_any_moment_what_is_served_is_there_and_whole(tmp_path, kills):
    folder, draw = tmp_path / "ctr", random.Random(0)
    for _ in range(max(4, kills // 5)):
        process = subprocess.Popen(
            [sys.executable, "-c", RELEASE, str(folder)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline()
        time.sleep(draw.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = ExportFolder(str(folder)).versions()
        assert [one.damage() for one in found] == [[]] * len(found)
        rollout = Rollout.read(str(folder), "ctr")
        assert rollout.served <= {one.number for one in found}
        assert rollout.labels["stable"] in rollout.served
    ExportFolder(str(folder)).clean()
    assert exports.hidden(folder) == ["gates", "models.config"]
