"""What all tests share: quiet libraries, repeatable Hypothesis, the real data set's folder."""

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.s3_server import s3  # noqa: F401  A fixture for every test.

# Both are read once, when the library is loaded, so they are set before any test module is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

REPOSITORY = Path(__file__).resolve().parent.parent

# The first call of a tf.function traces it, which no deadline survives.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--kills`: how often test_killed_jobs kills a join."""
    parser.addoption("--kills", type=int, default=20, help="joins to kill in test_killed_jobs")


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How many joins to kill."""
    return request.config.getoption("--kills")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that read the real data set, so that `-m "not shared"` leaves them out."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)


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
