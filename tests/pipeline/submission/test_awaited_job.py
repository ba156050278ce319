"""`--once` on Kubernetes: a small cluster behind a `kubectl` of the test's own."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from features.errors import RetryError, UserInputError
from pipeline.submission import manifests
from pipeline.submission.awaited_job import AwaitedJob
from tests.pipeline.submission.submissions import submission

KUBECTL = """#!{python} -IS
import json, pathlib, sys
folder = pathlib.Path({folder!r})
job, plan = folder / "job.json", folder / "plan.json"
words = sys.argv[1:]
assert words[:2] == ["--namespace", "ctr"], words
words = words[2:]
with open(folder / "calls", "a") as calls:
    calls.write(" ".join(words) + "\\n")
if (folder / "down").exists():
    sys.exit("cluster: connection refused")
if words[0] == "apply":
    (folder / "applied").write_text(sys.stdin.read())
    code, *rest = json.loads(plan.read_text())
    plan.write_text(json.dumps(rest))
    job.write_text(json.dumps({{"code": code, "looks": 0}}))
elif words[0] == "delete":
    job.unlink(missing_ok=True)
elif words[:2] == ["get", "job"] and job.exists():
    state = json.loads(job.read_text())
    state["looks"] += 1
    job.write_text(json.dumps(state))
    ended = state["code"] is not None and state["looks"] > 2
    end = "Failed" if state["code"] else "Complete"
    conditions = [{{"type": end, "status": "True"}}] if ended else []
    status = {{"conditions": conditions}}
    print(json.dumps({{"metadata": state.get("metadata", {{}}), "status": status}}))
elif words[:2] == ["get", "pods"]:
    code = json.loads(job.read_text())["code"]
    end = {{"terminated": {{"exitCode": code}}}}
    side = {{"name": "sidecar", "state": {{"terminated": {{"exitCode": 2}}}}}}
    print(json.dumps({{"items": [
        {{"status": {{"containerStatuses": [side, {{"name": "job", "state": end}}]}}}},
        {{"status": {{}}}},
    ]}}))
"""


class Cluster:
    """What `kubectl` of this test knows."""

    def __init__(self, folder: Path, codes: list):
        self.folder = folder
        (folder / "plan.json").write_text(json.dumps(codes))
        program = folder / "kubectl"
        program.write_text(KUBECTL.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)

    def has(self, code, **state) -> None:
        values = {"code": code, "looks": 9, **state}
        (self.folder / "job.json").write_text(json.dumps(values))

    def verbs(self) -> list[str]:
        calls = (self.folder / "calls").read_text().splitlines()
        return [call.split()[0] for call in calls if not call.startswith("get")]

    def job(self, patience_seconds: float = 60) -> AwaitedJob:
        return AwaitedJob("dmf-cycle-1", "ctr", "kind: Job\n", 0.01, patience_seconds)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Makes a cluster whose jobs end with these codes, one after the other."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return lambda *codes: Cluster(tmp_path, list(codes))


@pytest.mark.parametrize("code", [0, 1, 2, 75, 137])
def test_the_code_of_the_job_is_the_code_of_the_submission(cluster, code):
    one = cluster(code)
    assert one.job().run() == code
    assert one.verbs() == ["apply", "logs"]
    assert (one.folder / "applied").read_text() == "kind: Job\n"


def test_a_job_that_runs_already_is_waited_for(cluster):
    one = cluster()
    one.has(75, looks=0)
    assert one.job().run() == 75
    assert one.verbs() == ["logs"]


@pytest.mark.parametrize("state", [{"code": 0}, {"code": 2}, {"code": None, "leaving": True}])
def test_a_job_that_ended_is_removed_and_runs_again(cluster, state):
    one = cluster(0)
    leaving = {"metadata": {"deletionTimestamp": "now"}} if state.pop("leaving", False) else {}
    one.has(**state, **leaving)
    assert one.job().run() == 0
    assert one.verbs() == ["delete", "apply", "logs"]


def test_a_stop_ends_the_job_with_75(cluster):
    one = cluster(None)

    def stop():
        while not (one.folder / "job.json").exists():
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=stop)
    thread.start()
    assert one.job().run() == 75
    thread.join()
    assert one.verbs() == ["apply", "delete"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_job_that_somebody_removed_is_to_be_run_again(cluster):
    one = cluster(None)

    def remove():
        while not (one.folder / "job.json").exists():
            time.sleep(0.02)
        (one.folder / "job.json").unlink()

    thread = threading.Thread(target=remove)
    thread.start()
    with pytest.raises(RetryError, match="'dmf-cycle-1' was removed while it ran"):
        one.job().run()
    thread.join()


def test_a_cluster_may_be_away_for_a_while(cluster):
    one = cluster(None)

    def leave():
        while not (one.folder / "job.json").exists():
            time.sleep(0.02)
        (one.folder / "down").touch()

    thread = threading.Thread(target=leave)
    thread.start()
    with pytest.raises(RetryError, match="not answered for 1 s: cluster: connection refused"):
        one.job(patience_seconds=1).run()
    thread.join()
    # Nothing can be started on one that is not there.
    assert one.job().run() == 1


def test_without_kubectl_nothing_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserInputError, match="no `kubectl` in PATH"):
        AwaitedJob("a", "ctr", "").run()


def test_once_leaves_what_is_run_again_to_the_caller():
    (job,) = manifests.render(submission(), once=True)
    manifests.validate([job], "1.31")
    assert job["spec"]["backoffLimit"] == 0
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert rule["onPodConditions"][0]["type"] == "DisruptionTarget", "the cluster's own doing"
