"""Which distributions are installed, what they require, and which versions this project pins."""

import ast
import dataclasses
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = "dmf-ctr"


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


def read() -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Returns version and requirements by installed distribution, without those of extras."""
    versions: dict[str, str] = {}
    requirements: dict[str, tuple[str, ...]] = {}
    for one in metadata.distributions():
        name = canonicalize_name(one.name)
        versions[name] = one.version
        requirements[name] = tuple(text for text in one.requires or () if _applies(text))
    return versions, requirements


def pins(tensorflow: str | None, repository: Path = REPOSITORY, wheel: Sequence[str] = ()) -> Pins:
    """Returns the pins for the installed TensorFlow: of `setup.py`, or of the newest one's lock.

    Args:
      tensorflow: its installed version, None for none.
      repository: the folder of `setup.py`.
      wheel: requirements of this project's installed wheel, which count outside a checkout.
    """
    setup = repository / "setup.py"
    if not setup.is_file():
        return Pins(f"the metadata of {OURS}", _specifiers(wheel))
    required = _specifiers(_install_requires(setup))
    newest = _locked(repository / "requirements" / "latest.lock")
    if tensorflow is not None and newest.get("tensorflow") == tensorflow:
        kept = {name: f"=={newest[name]}" for name in required if name in newest}
        return Pins("requirements/latest.lock", kept, "requirements/latest.lock", newest)
    locked = _locked(repository / "requirements" / "dev.lock")
    return Pins("setup.py", required, "requirements/dev.lock" if locked else "", locked)


def image_version(image: str, file: str, repository: Path = REPOSITORY) -> str | None:
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
