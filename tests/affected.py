"""Which test files may behave differently under another lock, by what they import.

`pytest --affected-by=requirements/latest.lock` collects those alone. A file is left out only when
neither it nor any module of ours that it reaches imports a library that the lock pins differently
from `requirements/dev.lock`, or one that needs such a library. In doubt a file stays in: when
something that it reaches starts processes, imports by a computed name, or imports a library that
is not installed.
"""

import ast
import functools
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import layout
from tests.conftest import REPOSITORY

DEV_LOCK = REPOSITORY / "requirements" / "dev.lock"

# Modules with which code runs other code that its imports do not show.
DOUBTFUL = frozenset({"importlib", "multiprocessing", "runpy", "subprocess"})
# pyarrow loads NumPy when it is there, and does not say so in its metadata.
UNDECLARED = {"pyarrow": {"numpy"}}
# Every test's conftest: of its fixtures, the S3 server (moto) uses none of these libraries.
COMMON = "tests.conftest"


def pins(lock: Path) -> dict[str, str]:
    """Returns the version by distribution of a lock."""
    lines = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def differing(lock: Path) -> set[str]:
    """Returns the distributions that a lock pins differently from `dev.lock`, or lacks, or adds."""
    one, other = pins(DEV_LOCK), pins(lock)
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def affected_distributions(changed: set[str]) -> set[str]:
    """Returns those distributions and all installed ones that need one of them."""
    needs = {
        canonicalize_name(one.name): {
            canonicalize_name(Requirement(line).name)
            for line in one.requires or ()
            if "extra ==" not in line
        }
        for one in importlib.metadata.distributions()
    }
    for name, undeclared in UNDECLARED.items():
        needs.setdefault(name, set()).update(undeclared)
    found, before = set(changed), set()
    while found != before:
        before = set(found)
        found |= {name for name, needed in needs.items() if needed & found}
    return found


@functools.cache
def libraries(lock: Path) -> frozenset[str]:
    """Returns the names of importable packages that a test under the lock may not reach."""
    found = affected_distributions(differing(lock))
    by_package = importlib.metadata.packages_distributions()
    installed = {
        package
        for package, names in by_package.items()
        if found & {canonicalize_name(name) for name in names}
    }
    return frozenset(installed | {name.replace("-", "_") for name in found})


@functools.cache
def files() -> dict[str, Path]:
    """Returns the file of each module of ours, of tests and packages too."""
    paths = layout.sources(*layout.PACKAGES, "tests")
    return {layout.module_name(layout.relative(path)): path for path in paths}


@functools.cache
def installed_packages() -> frozenset[str]:
    """Returns the importable names of the standard library and of all distributions."""
    return frozenset(sys.stdlib_module_names | importlib.metadata.packages_distributions().keys())


def imported(path: str, source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Returns the modules of ours that a file names, and the other packages that it imports.

    A module that it runs as a command counts, and the `conftest.py` of its folder and of those
    above.
    """
    tree = ast.parse(source)
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    ours = {
        name
        for name, file in files().items()
        if name != "tests" and {name, layout.relative(file)} & strings
    }
    others = set()
    for one in layout.imports(path, tree):
        if one.name.split(".")[0] in (*layout.PACKAGES, "tests"):
            ours |= {one.name, one.name.rpartition(".")[0]} & files().keys()
        else:
            others.add(one.name.split(".")[0])
    parts = Path(path).parent.parts
    folders = (".".join(parts[: depth + 1]) for depth in range(len(parts)))
    return frozenset(ours | {f"{one}.conftest" for one in folders} & files().keys()), frozenset(
        others
    )


@functools.cache
def imported_by_module(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Returns `imported` of a module of ours."""
    path = files()[name]
    return imported(layout.relative(path), path.read_text(encoding="utf-8"))


def reached_packages(path: str, source: str) -> frozenset[str]:
    """Returns the packages of others that a file imports, directly or through modules of ours."""
    ours, others = imported(path, source)
    seen, waiting = {COMMON}, list(ours)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            more, packages = imported_by_module(name)
            waiting += more
            others |= packages
    return others


def reasons(path: str, source: str, lock: Path) -> Iterator[str]:
    """Yields why a test file may behave differently under a lock; nothing if it cannot."""
    for package in sorted(reached_packages(path, source)):
        if package in libraries(lock):
            yield f"it reaches {package}"
        elif package in DOUBTFUL:
            yield f"it reaches {package}, and so may run anything"
        elif package not in installed_packages():
            yield f"it reaches {package}, which is not installed"
    if "__import__" in source:
        yield "it imports by a computed name"


def is_affected(path: Path, lock: Path) -> bool:
    """Returns whether a test file may behave differently under a lock."""
    source = path.read_text(encoding="utf-8")
    return next(reasons(layout.relative(path), source, lock), None) is not None
