"""Everything that the doctor's checks read."""

import dataclasses
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence

from pipeline.checkup import child_process, distributions, machine
from pipeline.checkup.child_process import Loading
from pipeline.checkup.distributions import Pins
from pipeline.checkup.machine import Folder, Machine

Finding = tuple[str, ...]
"""What a check found: status, message and, unless the status is `ok`, remedy of an `Outcome`."""

# Of one URI: name look-ups that fail are tried again for minutes.
_REMOTE_SECONDS = 60

DEPENDENTS = (
    "apache-beam",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "tensorflow-recommenders",
    "tensorflow-serving-api",
    "tf-keras",
)
"""Distributions whose requirements decide whether versions work together."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """An environment and the machine it is on.

    Attributes:
      python: version of the interpreter.
      installed: version by distribution.
      requirements: of each of `DEPENDENTS`.
      pins: the versions that were tested together.
      loading: what happened when libraries were loaded: `tensorflow`, `tensorflow_io` (if
        installed), `serving_api` and `beam`.
      environment: environment variables.
      serving_image: version of TensorFlow Serving that `docker-compose.yml` names; None outside
        a checkout.
      beam_image: version of Beam's SDK that the worker image is built on; likewise.
      folders: local folders that jobs would write to.
      remote_paths: what happened when each URI was looked at.
      machine: memory and CPUs.
    """

    python: tuple[int, int, int]
    installed: Mapping[str, str]
    requirements: Mapping[str, Sequence[str]]
    pins: Pins
    loading: Mapping[str, Loading]
    environment: Mapping[str, str]
    serving_image: str | None
    beam_image: str | None
    folders: Sequence[Folder]
    remote_paths: Mapping[str, Loading]
    machine: Machine


def gather(paths: Sequence[str] = ()) -> Facts:
    """Gathers the facts of this environment and machine.

    Loads each library in a process of its own.

    Args:
      paths: folders that jobs will read or write, local or URIs, besides the temporary folder.
    """
    installed, requirements = distributions.read()
    remote = [path for path in paths if _is_remote(path)]
    local = [tempfile.gettempdir(), *(path for path in paths if not _is_remote(path))]
    return Facts(
        python=sys.version_info[:3],
        installed=installed,
        requirements={name: requirements[name] for name in DEPENDENTS if name in requirements},
        pins=distributions.pins(
            installed.get("tensorflow"), wheel=requirements.get(distributions.OURS, ())
        ),
        loading={
            name: child_process.load(code)
            for name, code in child_process.LIBRARIES.items()
            if name != "tensorflow_io" or "tensorflow-io" in installed
        },
        environment=dict(os.environ),
        serving_image=distributions.image_version(
            "tensorflow/serving", "docker/docker-compose.yml"
        ),
        beam_image=distributions.image_version(
            "apache/beam_python3.11_sdk", "docker/worker/Dockerfile"
        ),
        folders=[machine.try_folder(path) for path in local],
        remote_paths={
            path: child_process.load(child_process.REMOTE_PATH, path, seconds=_REMOTE_SECONDS)
            for path in remote
        },
        machine=machine.read(),
    )


def _is_remote(path: str) -> bool:
    """Same as `features.files.storage.is_remote`, whose pyarrow may not load here."""
    return re.match(r"(?!file:)[a-z][a-z0-9+.-]*://", path) is not None
