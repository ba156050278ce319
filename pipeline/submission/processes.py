"""Processes that run together, end together, and run again after exit code 75."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from absl import logging

from pipeline.runtime import exit_codes, shell_text

_POLL_SECONDS = 0.1
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0


@dataclass(frozen=True)
class Command:
    """A command line, and variables in addition to those of this process."""

    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The command for a shell."""
        return shell_text.command(self.words, self.environment)


class ProcessGroup:
    """Runs commands at the same time, and again as long as they exit with 75.

    If one fails, the others are ended. SIGTERM and SIGINT of this process are passed on as
    SIGTERM, after which nothing is run again.

    Args:
      commands: the commands to run together.
      grace_seconds: from SIGTERM to SIGKILL.
    """

    def __init__(self, commands: Sequence[Command], grace_seconds: float):
        self._commands = commands
        self._grace_seconds = grace_seconds
        self._running: list[subprocess.Popen[bytes]] = []
        self._stop = threading.Event()

    def run(self, once: bool = False) -> int:
        """Returns the exit code of the group, see `combined_code`.

        Args:
          once: run nothing again, after 75 either.
        """
        pause, started = 0.0, time.monotonic()
        before = {one: signal.signal(one, self._pass_on) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            while (code := self._run_once()) == exit_codes.RETRY and not self._stop.is_set():
                if once:
                    break
                pause = next_pause(pause, time.monotonic() - started)
                logging.info("Exit code %d: running it again in %d s.", code, pause)
                if self._stop.wait(pause):
                    break
                started = time.monotonic()
            return code
        finally:
            self._end()
            for one, handler in before.items():
                signal.signal(one, handler)

    def _run_once(self) -> int:
        self._running = []
        for command in self._commands:
            environment = {**os.environ, **command.environment}
            self._running.append(subprocess.Popen(command.words, env=environment))
        if self._stop.is_set():
            self._terminate()
        while True:
            codes = [process.poll() for process in self._running]
            ended = [code for code in codes if code is not None]
            if any(ended) or len(ended) == len(codes):
                self._end()
                return combined_code(ended)
            time.sleep(_POLL_SECONDS)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()
        self._terminate()

    def _terminate(self) -> None:
        for process in self._running:
            process.terminate()  # Does nothing where it has ended.

    def _end(self) -> None:
        self._terminate()
        deadline = time.monotonic() + self._grace_seconds
        for process in self._running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def next_pause(pause: float, ran: float) -> float:
    """Returns how long to wait before a command is run again, in seconds.

    Args:
      pause: the last one, 0 if there was none; it is doubled, so that a disk that keeps failing is
        not asked every second.
      ran: how long the command ran since.
    """
    long = ran > _LONGEST_PAUSE_SECONDS or not pause
    return _PAUSE_SECONDS if long else min(2 * pause, _LONGEST_PAUSE_SECONDS)


def combined_code(codes: Sequence[int]) -> int:
    """Returns the most specific exit code: 2, then 75, then another failure, then 0.

    A worker whose peer stopped fails too, and must not hide the peer's code.

    Args:
      codes: of `subprocess`, where a negative code is a signal's number.
    """
    shell_codes = [128 - code if code < 0 else code for code in codes]
    specific = (code for code in (exit_codes.USER_ERROR, exit_codes.RETRY) if code in shell_codes)
    return next(specific, max(shell_codes))
