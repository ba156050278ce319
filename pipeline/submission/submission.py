"""One job with its flags and settings."""

import hashlib
import json
import os
from dataclasses import dataclass

from pydantic import TypeAdapter

from features.errors import UserInputError
from pipeline.runtime import plain_text
from pipeline.submission.settings import Settings

_DISTRIBUTED = ("train",)


@dataclass(frozen=True)
class Submission:
    """A job to run somewhere, with its own flags.

    Raises:
      UserInputError: several workers are requested for a job that runs in one process, or a flag
        cannot be printed.
    """

    job: str
    flags: tuple[str, ...]
    settings: Settings

    def __post_init__(self) -> None:
        for before, flag in zip(("", *self.flags), self.flags, strict=False):
            what = f"The value of {before}" if before.startswith("--") else "The job's flag"
            plain_text.check(flag, what)
        if self.settings.workers > 1 and self.job not in _DISTRIBUTED:
            raise UserInputError(
                f"workers={self.settings.workers} with --job {self.job}: only "
                f"{', '.join(_DISTRIBUTED)} trains with several. A Beam job spreads its work "
                "through its own --runner."
            )

    @property
    def name(self) -> str:
        """The settings' name, or one derived from all that is submitted."""
        if self.settings.name is not None:
            return self.settings.name
        settings = TypeAdapter(Settings).dump_python(self.settings, mode="json")
        text = json.dumps([self.job, self.flags, settings], sort_keys=True)
        return f"dmf-{self.job.replace('_', '-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    @property
    def container_environment(self) -> dict[str, str]:
        """Variables of a container, besides those that differ between workers."""
        threads = str(max(1, int(self.settings.cpus)))
        # A container sees all cores of the machine, even those that it may not use.
        pools = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
        # The root file system is read-only, and the user's home on it.
        return {**dict.fromkeys(pools, threads), "HOME": "/tmp", **self.settings.environment}

    def check_paths(self) -> None:
        """Checks that the container has every path of this machine among the flags.

        Raises:
          UserInputError: a flag's value is a path that exists here and lies in no volume.
        """
        mounts = [volume.mount for volume in self.settings.volumes]
        for flag in self.flags:
            path = flag.rpartition("=")[2]
            if "/" not in path or not os.path.exists(path):
                continue
            if os.path.isabs(path) and any(os.path.commonpath([path, m]) == m for m in mounts):
                continue
            raise UserInputError(
                f"{flag!r}: {path!r} is a path of this machine, and the container has "
                f"{', '.join(mounts) or 'no volume'}. Mount its folder, such as "
                f"--volume {os.path.abspath(path)}:/data, and give the path inside."
            )


def tf_config(hosts: list[str], index: int | str) -> str:
    """Returns `TF_CONFIG` of one worker as JSON.

    Args:
      hosts: `host:port` of every worker.
      index: of this worker, a number or what expands to one.
    """
    cluster = json.dumps({"worker": hosts})
    return f'{{"cluster": {cluster}, "task": {{"type": "worker", "index": {index}}}}}'
