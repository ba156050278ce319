"""Which distributions are installed, what they ask of each other, and what this project pins."""

import ast
import dataclasses
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
_OURS = "dmf-ctr"


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


def installed() -> dict[str, str]:
    """Returns version by distribution."""
    return {canonicalize_name(one.name): one.version for one in metadata.distributions()}


def requirements(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Returns what each of these distributions asks for, extras aside, where it is installed."""
    found = {}
    for name in names:
        try:
            texts = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found[name] = tuple(text for text in texts if _applies(Requirement(text)))
    return found


def pins(tensorflow: str | None, repository: Path = REPOSITORY) -> Pins:
    """Returns the pins for the installed TensorFlow: of `setup.py`, or of the newest one's lock.

    Outside a checkout they are those that the installed wheel carries.

    Args:
      tensorflow: its installed version, None for none.
      repository: the folder of `setup.py`.
    """
    setup = repository / "setup.py"
    if not setup.is_file():
        texts = requirements((_OURS,)).get(_OURS, ())
        return Pins(f"the metadata of {_OURS}", _specifiers(texts))
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
    found = (
        re.search(rf"{re.escape(image)}:([0-9.]+)", path.read_text()) if path.is_file() else None
    )
    return found[1] if found else None


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _specifiers(texts: tuple[str, ...]) -> dict[str, str]:
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
