"""Everything that the doctor's checks read."""

import ast
import dataclasses
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.checkup import child_process, machine
from pipeline.checkup.child_process import Loading
from pipeline.checkup.machine import Folder, Machine

Finding = tuple[str, ...]
"""What a check found: status, message and, unless the status is `ok`, remedy of an `Outcome`."""

_REPOSITORY = Path(__file__).resolve().parents[2]
_OURS = "dmf-ctr"

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
class Pins:
    """The versions that are known to work together.

    Attributes:
      origin: where they stand, such as `setup.py`.
      required: specifier by distribution, such as `==4.25.*`.
      lock: name of the lock that was compiled from them; empty where there is none.
      locked: version by distribution, in that lock.
    """

    origin: str
    required: Mapping[str, str]
    lock: str = ""
    locked: Mapping[str, str] = dataclasses.field(default_factory=dict)


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
    installed, requirements = _distributions()
    remote = [path for path in paths if _is_remote(path)]
    local = [tempfile.gettempdir(), *(path for path in paths if not _is_remote(path))]
    return Facts(
        python=sys.version_info[:3],
        installed=installed,
        requirements={name: requirements[name] for name in DEPENDENTS if name in requirements},
        pins=read_pins(installed.get("tensorflow"), wheel=requirements.get(_OURS, ())),
        loading={
            name: child_process.load(code)
            for name, code in child_process.LIBRARIES.items()
            if name != "tensorflow_io" or "tensorflow-io" in installed
        },
        environment=dict(os.environ),
        serving_image=image_version("tensorflow/serving", "docker/docker-compose.yml"),
        beam_image=image_version("apache/beam_python3.11_sdk", "docker/worker/Dockerfile"),
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


def _distributions() -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Returns version and requirements by installed distribution, without those of extras."""
    versions: dict[str, str] = {}
    requirements: dict[str, tuple[str, ...]] = {}
    for one in metadata.distributions():
        name = canonicalize_name(one.name)
        versions[name] = one.version
        requirements[name] = tuple(text for text in one.requires or () if _applies(text))
    return versions, requirements


def read_pins(
    tensorflow: str | None, repository: Path = _REPOSITORY, wheel: Sequence[str] = ()
) -> Pins:
    """Returns the pins for the installed TensorFlow: of `setup.py`, or of the newest one's lock.

    Args:
      tensorflow: its installed version, None for none.
      repository: the folder of `setup.py`.
      wheel: requirements of this project's installed wheel, which count outside a checkout.
    """
    setup = repository / "setup.py"
    if not setup.is_file():
        return Pins(f"the metadata of {_OURS}", _specifiers(wheel))
    required = _specifiers(_install_requires(setup))
    newest = _locked(repository / "requirements" / "latest.lock")
    if tensorflow is not None and newest.get("tensorflow") == tensorflow:
        kept = {name: f"=={newest[name]}" for name in required if name in newest}
        return Pins("requirements/latest.lock", kept, "requirements/latest.lock", newest)
    locked = _locked(repository / "requirements" / "dev.lock")
    return Pins("setup.py", required, "requirements/dev.lock" if locked else "", locked)


def image_version(image: str, file: str, repository: Path = _REPOSITORY) -> str | None:
    """Returns the tag of a container image that a file of the repository names, None for none."""
    path = repository / file
    text = path.read_text() if path.is_file() else ""
    found = re.search(rf"{re.escape(image)}:([0-9.]+)", text)
    return found[1] if found else None


def _applies(text: str) -> bool:
    marker = Requirement(text).marker
    return marker is None or marker.evaluate({"extra": ""})


def _specifiers(texts: Sequence[str]) -> dict[str, str]:
    parsed = map(Requirement, texts)
    return {canonicalize_name(one.name): str(one.specifier) for one in parsed}


def _install_requires(setup: Path) -> tuple[str, ...]:
    for node in ast.parse(setup.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INSTALL_REQUIRES":
            return tuple(ast.literal_eval(node.value))
    raise ValueError(f"{setup} assigns no INSTALL_REQUIRES, which the pins are read from.")


def _locked(lock: Path) -> dict[str, str]:
    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    pairs = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pairs}
