"""A Job of Kubernetes that this process waits for, and whose exit code it takes over."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from absl import logging

from features.errors import RetryError
from pipeline.runtime import exit_codes
from pipeline.submission import manifests
from pipeline.submission.processes import combined_code

_POLL_SECONDS, _PATIENCE_SECONDS = 5.0, 600.0
_LOG_LINES = 100


class AwaitedJob:
    """Runs a Job to its end.

    A Job of that name that has not ended is waited for: it is what an earlier process, which was
    killed, has started. One that has ended is removed first, because the caller wants another run.
    SIGTERM and SIGINT remove the Job, so that its pods get SIGTERM.

    Args:
      name: of the Job.
      namespace: that it is in.
      text: its manifests as YAML.
      poll_seconds: between two looks at the Job.
      patience_seconds: how long the cluster may not answer while the Job runs.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        text: str,
        poll_seconds: float = _POLL_SECONDS,
        patience_seconds: float = _PATIENCE_SECONDS,
    ):
        self._name = name
        self._namespace = namespace
        self._text = text
        self._poll_seconds = poll_seconds
        self._patience_seconds = patience_seconds
        self._stop = threading.Event()

    def run(self) -> int:
        """Returns 0, the exit code of the job that failed, or that of a `kubectl` that failed.

        Raises:
          UserInputError: there is no `kubectl`.
          RetryError: the cluster does not answer any more, or somebody removed the Job.
        """
        manifests.need_kubectl()
        before = {one: signal.signal(one, self._end) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            if code := self._start():
                return code
            return self._wait()
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _start(self) -> int:
        found = self._get("job", self._name)
        if found.returncode:
            return found.returncode
        job = json.loads(found.stdout or "{}")
        if job and _ended(job) is None and "deletionTimestamp" not in job["metadata"]:
            logging.info("Job %s runs already: waiting for it.", self._name)
            return 0
        if job and (code := self._kubectl(*self._delete, "--wait=true").returncode):
            return code
        return self._kubectl("apply", "-f", "-", text=self._text).returncode

    def _wait(self) -> int:
        answered = time.monotonic()
        while not self._stop.wait(self._poll_seconds):
            found = self._get("job", self._name)
            if found.returncode == 0:
                answered = time.monotonic()
                if not found.stdout.strip():
                    raise RetryError(f"Job {self._name!r} was removed while it ran.")
                if (end := _ended(json.loads(found.stdout))) is not None:
                    self._show_log()
                    return 0 if end == "Complete" else self._code()
            elif time.monotonic() - answered > self._patience_seconds:
                raise RetryError(
                    f"The cluster has not answered for {self._patience_seconds:.0f} s: "
                    f"{found.stderr.strip()}. Job {self._name!r} may still run."
                )
        self._kubectl(*self._delete, "--wait=false")
        return exit_codes.RETRY

    def _code(self) -> int:
        """Returns the exit code of the pods that failed, 1 where none is left."""
        found = self._get("pods", f"--selector=batch.kubernetes.io/job-name={self._name}")
        pods = json.loads(found.stdout or "{}").get("items", [])
        codes = [
            status["state"]["terminated"]["exitCode"]
            for pod in pods
            for status in pod["status"].get("containerStatuses", [])
            if status["name"] == manifests.CONTAINER and "terminated" in status["state"]
        ]
        return combined_code([exit_codes.FAILURE, *codes]) if any(codes) else exit_codes.FAILURE

    def _show_log(self) -> None:
        shown = ("--all-containers", "--prefix", f"--tail={_LOG_LINES}")
        selector = f"--selector=batch.kubernetes.io/job-name={self._name}"
        self._kubectl("logs", selector, *shown)

    @property
    def _delete(self) -> tuple[str, ...]:
        return ("delete", "job", self._name, "--ignore-not-found", "--cascade=foreground")

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _get(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Asks for objects; empty where there are none."""
        command = [*self._command, "get", *words, "--ignore-not-found", "--output=json"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            logging.warning("%s", done.stderr.strip())
        return done

    def _kubectl(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._command, *words], input=text, text=True)

    @property
    def _command(self) -> tuple[str, ...]:
        return ("kubectl", "--namespace", self._namespace)


def _ended(job: Mapping[str, Any]) -> str | None:
    """Returns `Complete` or `Failed`, None while the Job runs."""
    conditions = job.get("status", {}).get("conditions", [])
    ends = [one["type"] for one in conditions if one["status"] == "True"]
    return next((end for end in ("Complete", "Failed") if end in ends), None)
