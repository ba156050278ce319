"""What all tests share: quiet libraries, repeatable Hypothesis, the real data set's folder."""

import functools
import importlib.util
import math
import os
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import settings

from tests.s3_server import s3  # noqa: F401  A fixture for every test.

# Both are read once, when the library is loaded, so they are set before any test module is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Stock ops, also where the kernels were built: `make test-kernels` tests those.
os.environ.setdefault("DMF_KERNELS", "off")

# About how long a test takes that is marked slow, and one that is not, in seconds.
_SLOW, _FAST = 10, 0.3

_BEGUN = time.monotonic()

REPOSITORY = Path(__file__).resolve().parent.parent

# The first call of a tf.function traces it, which no deadline survives.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--kills`."""
    parser.addoption("--kills", type=int, default=10, help="joins to kill in test_killed_jobs")


def _limit() -> float:
    """Returns the seconds after which no slow test begins."""
    return float(os.environ.get("TEST_SECONDS") or math.inf)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leaves out slow tests once the run has taken as long as `TEST_SECONDS` allows, and says so.

    A run that is ended from outside says nothing of the tests that it did run.
    """
    limit = _limit()
    if item.get_closest_marker("slow") and time.monotonic() - _BEGUN > limit:
        pytest.skip(f"out of time: the tests ran for TEST_SECONDS={limit:g}")


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How many joins to kill."""
    return request.config.getoption("--kills")


@pytest.fixture(scope="session")
def kernels_built() -> None:
    """Skips the tests that need the library of native kernels where `make kernels` did not run."""
    from kernels import library  # It loads TensorFlow, which most tests do without.

    if not os.path.exists(library.path()):
        if os.environ.get("REQUIRE_KERNELS") == "1":
            pytest.fail(f"REQUIRE_KERNELS=1, and there is no {library.path()}")
        pytest.skip("'make kernels' builds the library of native kernels")


@pytest.fixture
def kernels(kernels_built: None) -> Iterator[object]:
    """The native kernels, which are used for the test's duration."""
    from kernels import library

    with library.use("on"):
        yield library.load()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the tests that read the real data set, so that `-m "not shared"` leaves them out.

    A worker of several gets the groups that take longest first, so that all end at about one time.
    Where time is bounded, `TEST_ORDER` draws the order: what is left out with one is not with the
    next.
    """
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)
    if not hasattr(config, "workerinput"):
        return
    seconds: Counter[str] = Counter()
    order = os.environ.get("TEST_ORDER") if _limit() < math.inf else None
    for item in items:
        one, mark = group(item.nodeid), item.get_closest_marker("slow")
        seconds[one] += mark.kwargs.get("seconds", _SLOW) if mark else _FAST

    def place(item: pytest.Item) -> tuple[float, float, str]:
        one = group(item.nodeid)
        drawn = 0 if order is None else zlib.crc32(f"{order} {one}".encode())
        return drawn, -seconds[one], one

    items.sort(key=place)


@functools.cache
def _sharing_folder(folder: str) -> str | None:
    """Returns the outermost folder below `tests` that holds this one and has a `conftest.py`."""
    parents = [folder, *map(str, PurePosixPath(folder).parents)]
    found = [one for one in parents[:-2] if (REPOSITORY / one / "conftest.py").is_file()]
    return found[-1] if found else None


def group(nodeid: str) -> str:
    """Returns the file of a test, or the folder whose files share fixtures of a session.

    One worker runs a group, so that none trains or exports a model that another one has.
    """
    file = nodeid.partition("::")[0]
    return _sharing_folder(file.rpartition("/")[0]) or file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """Lets `--dist loadfile` hand out groups."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # Without xdist nothing asks for it.

    class GroupScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return GroupScheduling(config, log)


def pytest_collection_finish() -> None:
    """Spares the tests that run Beam in this process a third of its time."""
    if "apache_beam" in sys.modules:
        from tests import quick_beam  # Where no test needs Beam, Beam is not loaded.

        quick_beam.apply()


@pytest.fixture(scope="session")
def tensorflow_io() -> None:
    """Skips the tests that need tensorflow-io beside a TensorFlow that has none."""
    if importlib.util.find_spec("tensorflow_io") is None:
        pytest.skip("tensorflow-io is not installed: TensorFlow opens no s3:// here")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the MovieLens data: `SHARED_DATA`, else `../shared/data/movielens`.

    A test that asks for it is skipped where the folder is absent, unless `REQUIRE_SHARED=1`
    (which `.ci/run` sets): then it fails.
    """
    default = REPOSITORY.parent / "shared" / "data" / "movielens"
    folder = Path(os.environ.get("SHARED_DATA") or default)
    if folder.is_dir():
        return folder
    message = f"no real data at {folder}: put it there or set SHARED_DATA to its folder"
    if os.environ.get("REQUIRE_SHARED") == "1":
        pytest.fail(f"{message} (REQUIRE_SHARED=1)")
    pytest.skip(message)
