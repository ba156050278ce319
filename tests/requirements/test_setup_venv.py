"""`requirements/setup_venv.sh`, which each `make` starts with, on a package of this test's own."""

import hashlib
import os
import subprocess
import sys
import zipfile
from concurrent import futures
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

METADATA = "small-1.0.dist-info/METADATA"
FILES = {
    "small/__init__.py": "",
    "small/part.py": "VALUE = 7\n",
    METADATA: "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n",
    "small-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
RECORD = "small-1.0.dist-info/RECORD"


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A folder with locks: of nothing, and of one small package."""
    wheel = tmp_path / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
        archive.writestr(RECORD, "".join(f"{name},,\n" for name in [*FILES, RECORD]))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/bootstrap.lock").write_text("")
    (tmp_path / "dev.lock").write_text(f"small @ file://{wheel} --hash=sha256:{digest}\n")
    return tmp_path


def set_up(checkout: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["sh", REPOSITORY / "requirements/setup_venv.sh", ".venv", "dev.lock"],
        cwd=checkout,
        env=os.environ | {"PYTHON": sys.executable, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_runs_at_once_leave_a_whole_environment(checkout):
    """Each made `.venv` anew while the other one installed into it."""
    with futures.ThreadPoolExecutor() as pool:
        runs = [pool.submit(set_up, checkout) for _ in range(3)]
    assert [run.result().returncode for run in runs] == [0, 0, 0], runs[0].result().stderr
    texts = [run.result().stdout for run in runs]
    assert sum("waiting for another setup from dev.lock" in text for text in texts) >= 1
    assert sum("making .venv" in text for text in texts) == 1
    assert value(checkout) == "7\n"


def value(checkout: Path) -> str:
    """Returns what the installed package has in the file that is written last."""
    program = [checkout / ".venv/bin/python", "-c", "from small.part import VALUE; print(VALUE)"]
    return subprocess.run(program, cwd=checkout, capture_output=True, text=True, check=True).stdout


def test_an_interrupted_installation_is_not_built_on(checkout):
    assert set_up(checkout).returncode == 0
    assert value(checkout) == "7\n"
    # As pip leaves it when it is killed: the metadata is there, a file of the package is not.
    (part,) = checkout.glob(".venv/lib/*/site-packages/small/part.py")
    part.unlink()
    (checkout / ".venv/.unfinished").touch()

    again = set_up(checkout)

    assert again.returncode == 0, again.stderr
    assert value(checkout) == "7\n"


def test_a_failed_installation_names_the_space_and_the_next_starts_anew(checkout):
    (wheel,) = checkout.glob("*.whl")
    kept = wheel.read_bytes()
    wheel.write_bytes(kept[:-100])

    failed = set_up(checkout)

    assert failed.returncode == 1
    assert "setup: error: the installation into .venv has failed" in failed.stderr
    assert "GB are free there" in failed.stderr
    assert (checkout / ".venv/.unfinished").exists()
    wheel.write_bytes(kept)
    again = set_up(checkout)
    assert "setup: making .venv" in again.stdout
    assert value(checkout) == "7\n"
    # A finished environment is added to, and not made again.
    assert "setup: making .venv" not in set_up(checkout).stdout
