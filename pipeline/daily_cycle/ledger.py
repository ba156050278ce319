"""Which steps of which part are done, and why a part stopped: one small file per step.

    cycle/2026-05-02/join.json       done: its key, its figures, when it began and how long it took
    cycle/2026-05-02/stopped.json    the step at which the part stopped, and why
    cycle/2026-05-02/skipped.json    a person left the part out, and why

A step's key is the sha256 of what decides its outcome: its settings and the outcomes of the steps
before it. A step is done where its record has the key of now. Each file is written atomically and
carries a checksum, so a killed cycle leaves whole records or none.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from features.files import manifest, storage

_SUFFIX = ".json"
_STOPPED, _SKIPPED = "stopped", "skipped"


@dataclasses.dataclass(frozen=True)
class Done:
    """A finished step.

    Attributes:
      key: of what decided its outcome.
      outcome: JSON values of what later steps, the status and the report read.
      began: UTC, ISO 8601.
      seconds: wall time.
    """

    key: str
    outcome: Mapping[str, Any]
    began: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Stopped:
    """Why a part stopped, or was left out.

    Attributes:
      step: at which it stopped; empty where a person left it out.
      reason: a sentence.
      at: UTC, ISO 8601.
    """

    step: str
    reason: str
    at: str


class Ledger:
    """The records of one part.

    Args:
      folder: of all parts' records, local.
      part: the part's name.
    """

    def __init__(self, folder: str, part: str):
        self._folder = os.path.join(folder, part)

    def done(self, step: str) -> Done | None:
        """Returns a step's record, None where there is none.

        Raises:
          UserInputError: it is damaged.
        """
        values = self._read(step)
        return None if values is None else Done(**values)

    def write_done(self, step: str, record: Done) -> None:
        """Records that a step is finished; the part is not stopped any more."""
        self._write(step, dataclasses.asdict(record))
        self._remove(_STOPPED)

    def stopped(self) -> Stopped | None:
        """Returns why the part stopped, None where it did not."""
        values = self._read(_STOPPED)
        return None if values is None else Stopped(**values)

    def write_stopped(self, step: str, reason: str, forget: bool = False) -> None:
        """Records at which step the part stopped, and why.

        Args:
          step: its name.
          reason: a sentence.
          forget: remove the records of the steps before, which are then to be done again.
        """
        self._write(_STOPPED, dataclasses.asdict(Stopped(step, reason, now())))
        if forget:
            for name in os.listdir(self._folder):
                if name not in (f"{_STOPPED}{_SUFFIX}", f"{_SKIPPED}{_SUFFIX}"):
                    storage.remove_file(os.path.join(self._folder, name))

    def skipped(self) -> Stopped | None:
        """Returns why a person left the part out, None where nobody did."""
        values = self._read(_SKIPPED)
        return None if values is None else Stopped(**values)

    def write_skipped(self, reason: str) -> None:
        """Records that a person leaves the part out."""
        self._write(_SKIPPED, dataclasses.asdict(Stopped("", reason, now())))

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, f"{name}{_SUFFIX}")

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self._path(name)
        if not os.path.isfile(path):
            return None
        return manifest.without_marks(manifest.read_values(path))

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        os.makedirs(self._folder, exist_ok=True)
        manifest.write_values(self._path(name), values)

    def _remove(self, name: str) -> None:
        if os.path.isfile(path := self._path(name)):
            storage.remove_file(path)


def parts(folder: str) -> list[str]:
    """Returns the names of the parts that have records, ascending."""
    if not os.path.isdir(folder):
        return []
    return sorted(one.name for one in os.scandir(folder) if one.is_dir())


def key(*values: Any) -> str:
    """Returns the key of JSON values that decide a step's outcome."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def now() -> str:
    """Returns the time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
