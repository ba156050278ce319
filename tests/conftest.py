"""What all tests share: quiet libraries, repeatable Hypothesis, the real data set's folder."""

import importlib.util
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from tests.s3_server import s3  # noqa: F401  A fixture for every test.

# Both are read once, when the library is loaded, so they are set before any test module is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# About how long a test takes that is marked slow, and one that is not, in seconds.
_SLOW, _FAST = 10, 0.3

REPOSITORY = Path(__file__).resolve().parent.parent

# The first call of a tf.function traces it, which no deadline survives.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--kills` and `--tensorflow-only`."""
    parser.addoption("--kills", type=int, default=20, help="joins to kill in test_killed_jobs")
    parser.addoption(
        "--tensorflow-only",
        action="store_true",
        help="only test files that may behave differently under another TensorFlow",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out, with `--tensorflow-only`, the test files that reach no TensorFlow."""
    from tests import tensorflow_users

    if not config.option.tensorflow_only or not collection_path.name.startswith("test_"):
        return None
    return None if tensorflow_users.is_one(collection_path) else True


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How many joins to kill."""
    return request.config.getoption("--kills")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the tests that read the real data set, so that `-m "not shared"` leaves them out.

    A worker of several gets the files that take longest first, so that all end at about one time.
    """
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)
    if not hasattr(config, "workerinput"):
        return
    seconds: Counter[Path] = Counter()
    for item in items:
        slow = item.get_closest_marker("slow")
        seconds[item.path] += slow.kwargs.get("seconds", _SLOW) if slow else _FAST
    items.sort(key=lambda item: -seconds[item.path])


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
