"""What a user who installs the distribution gets, and what the locks promise."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.conftest import REPOSITORY
from tests.layout import PACKAGES

LOCKS = sorted((REPOSITORY / "requirements").glob("*.lock"))
INSTALLED = [package for package in PACKAGES if package not in ("benchmarks", "docs_build")]
BUILD_INPUTS = ["setup.py", "pyproject.toml", "LICENSE"]


def pins(lock: str) -> dict[str, str]:
    text = (REPOSITORY / "requirements" / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel, built from the source distribution, which is built from a copy of the sources.

    A copy, because setuptools takes what an earlier build left in `build/lib` for sources; by way
    of the source distribution, because that is what a Beam worker would be sent.
    """
    root = tmp_path_factory.mktemp("packaging")
    sources = root / "sources"
    sources.mkdir()
    for name in BUILD_INPUTS:
        shutil.copy2(REPOSITORY / name, sources)
    for package in INSTALLED:
        shutil.copytree(
            REPOSITORY / package,
            sources / package,
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
        )
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", "."]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (path,) = (sources / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_packages(wheel):
    expected = {
        path.relative_to(REPOSITORY).as_posix()
        for package in INSTALLED
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = expected - set(wheel.namelist())
    assert not missing, "no __init__.py beside it, or its kind is not in setup.py's package_data"


@pytest.mark.slow
def test_wheel_holds_nothing_else(wheel):
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == set(INSTALLED)


@pytest.mark.slow
def test_entry_points_exist(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(name).decode())
    scripts = dict(parser["console_scripts"])
    assert set(scripts) == {
        "dmf",
        "dmf-run",
        "dmf-build-examples",
        "dmf-build-vocabulary",
        "dmf-convert",
        "dmf-inspect-data",
        "dmf-train",
        "dmf-evaluate",
        "dmf-export",
        "dmf-models",
        "dmf-serve-local",
        "dmf-check-skew",
        "dmf-backfill",
        "dmf-ingest-embeddings",
        "dmf-submit",
        "dmf-runs",
        "dmf-simulate",
        "dmf-doctor",
    }
    for script, target in scripts.items():
        module, function = target.split(":")
        tree = ast.parse(wheel.read(f"{module.replace('.', '/')}.py"))
        found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function]
        assert len(found) == 1, f"{script}: {module} defines no {function}"
        required = len(found[0].args.args) - len(found[0].args.defaults)
        assert required == 0, f"{script}: a console script calls {function}() without arguments"


@pytest.mark.parametrize("package", INSTALLED)
def test_package_says_that_it_is_typed(package):
    # The wheel holds it: `test_wheel_holds_every_file_of_the_packages`.
    assert (REPOSITORY / package / "py.typed").is_file()


def test_locks_are_there():
    assert [lock.name for lock in LOCKS] == [
        "bootstrap.lock",
        "dev.lock",
        "latest.lock",
        "runtime.lock",
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_lock_is_hashed_and_names_no_place(lock):
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|@ file|(^|\s)/\w", text)
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_image_and_virtual_environment_agree():
    runtime, dev = pins("runtime.lock"), pins("dev.lock")
    assert runtime.items() <= dev.items()
    assert "pytest" in dev
    assert "pytest" not in runtime


def test_the_latest_lock_has_a_newer_tensorflow_without_tensorflow_io():
    dev, latest = pins("dev.lock"), pins("latest.lock")
    assert int(latest["tensorflow"].split(".")[1]) > int(dev["tensorflow"].split(".")[1])
    assert {name for name in dev if name not in latest} <= {
        "tensorflow-io",
        "tensorflow-io-gcs-filesystem",
    }


def test_locks_keep_setup_py_pins():
    tree = ast.parse((REPOSITORY / "setup.py").read_text(encoding="utf-8"))
    (required,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "INSTALL_REQUIRES"
    )
    locked = pins("runtime.lock")
    for requirement in required:
        name, operator, version = re.fullmatch(
            r"([a-z0-9-]+)(?:\[[a-z]+\])?(==|>=|<)([0-9.*]+)", requirement
        ).groups()
        assert name in locked, f"{name} is not in the lock: run `make lock`"
        if operator == "==":
            pattern = re.escape(version).replace(r"\*", ".*")
            assert re.fullmatch(pattern, locked[name]), f"{name}: run `make lock`"
