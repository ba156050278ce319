"""Which test files may behave differently under another TensorFlow, by what they import.

`pytest --tensorflow-only`, as `make test-latest` calls it, collects those alone. A file is left out
only when no module of the packages that it reaches imports TensorFlow, what is released with it,
or what the latest lock moves for its sake, and when none starts a process: whatever a process
runs, the file stays. So a new test stays until its imports show otherwise. What a test itself does
with TensorFlow does not keep it in: the join knows no TensorFlow, and its tests only parse records
with it, as the tests of `features.records` do, which stay.

Of what the lock moves NumPy alone does not keep a file in: every test that reads a record, a model
or an export with TensorFlow runs on that NumPy too, and the rest runs beside the older TensorFlow.
"""

import ast
import functools
import re
from pathlib import Path

from tests import layout
from tests.conftest import REPOSITORY

# Packages that stand on TensorFlow and are pinned alike in both locks.
ON_TENSORFLOW = frozenset({"keras", "tensorflow_recommenders"})
# Import names of distributions that are not called like them.
IMPORT_NAMES = {"protobuf": "google", "tensorflow_serving_api": "tensorflow_serving"}
# Packages and functions with which code runs other code that its imports do not show.
RUNS_ANYTHING = frozenset({"__import__", "importlib", "multiprocessing", "runpy", "subprocess"})
# Modules of ours that run code which has nothing to do with TensorFlow.
RUNS_NO_TENSORFLOW = {
    "pipeline.runtime.environment": "asks git for the commit",
    "pipeline.runtime.python_config": "runs the user's get_config()",
}
# Above every test. Of its fixtures only `s3` starts a process, and that is moto's.
COMMON = "tests.conftest"


@functools.cache
def moved_packages() -> frozenset[str]:
    """Returns the import names of what the two locks pin differently, NumPy aside."""
    locks = (REPOSITORY / "requirements" / f"{name}.lock" for name in ("dev", "latest"))
    one, other = (
        set(re.findall(r"^[\w.-]+==\S+", lock.read_text(encoding="utf-8"), re.MULTILINE))
        for lock in locks
    )
    names = {pin.split("==")[0].replace("-", "_") for pin in one ^ other}
    return frozenset({IMPORT_NAMES.get(name, name) for name in names} - {"numpy"})


@functools.cache
def files() -> dict[str, Path]:
    """Returns the file of each module of ours, of tests and folders too."""
    paths = layout.sources(*layout.PACKAGES, "tests")
    return {layout.module_name(layout.relative(path)): path for path in paths}


def imported(path: str, source: str) -> set[str]:
    """Returns what a file imports: modules of ours by their name, other packages by the first part.

    The `conftest.py` of its folder and of those above count, and so does `__import__`.
    """
    tree = ast.parse(source)
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & {"__import__"}
    for one in layout.imports(path, tree):
        names = {one.name, one.name.rpartition(".")[0]} & files().keys()
        found |= names or {one.name.split(".")[0]}
    folders = (layout.module_name(f"{one.as_posix()}/conftest.py") for one in Path(path).parents)
    return (found | set(folders) & files().keys()) - {COMMON}


@functools.cache
def imported_by(name: str) -> frozenset[str]:
    """Returns what a module of ours imports."""
    return frozenset(imported(layout.relative(files()[name]), files()[name].read_text("utf-8")))


def reason(path: str, source: str) -> str | None:
    """Returns a package that keeps a test file in, None if nothing does."""
    found = imported(path, source)
    keeping, waiting = found & RUNS_ANYTHING, found & files().keys()
    seen: set[str] = set()
    while waiting and not keeping:
        seen |= waiting
        for name in waiting:
            found = imported_by(name)
            if not name.startswith("tests."):
                keeping |= found & (moved_packages() | ON_TENSORFLOW)
            if name not in RUNS_NO_TENSORFLOW:
                keeping |= found & RUNS_ANYTHING
        waiting = set().union(*map(imported_by, waiting)) & files().keys() - seen
    return min(keeping, default=None)


def is_one(path: Path) -> bool:
    """Returns whether a test file may behave differently under another TensorFlow."""
    return reason(layout.relative(path), path.read_text("utf-8")) is not None
