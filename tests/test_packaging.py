"""What a user who installs the distribution gets, and what the locks promise."""

import ast
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.layout import PACKAGES

LOCKS = sorted((REPOSITORY / "requirements").glob("*.lock"))
INSTALLED = [package for package in PACKAGES if package not in ("benchmarks", "docs_build")]
SCRIPTS = {
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
    "dmf-load-projections",
    "dmf-ingest-embeddings",
    "dmf-submit",
    "dmf-runs",
    "dmf-simulate",
    "dmf-doctor",
    "dmf-gate",
    "dmf-cycle",
}
BUILD_INPUTS = ["setup.py", "pyproject.toml", "LICENSE"]
needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="there is no C++ compiler"
)


def pins(lock: str) -> dict[str, str]:
    text = (REPOSITORY / "requirements" / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """A copy of the sources, with a library of kernels that no wheel may have.

    A copy, because setuptools takes what an earlier build left in `build/lib` for sources.
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
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so"),
        )
    library = sources / "kernels" / "lib" / "dmf_kernels-planted.so"
    library.parent.mkdir(exist_ok=True)
    library.write_bytes(b"")
    return sources


def build(sources: Path, output: str, *options: str, kernels: str) -> Path:
    """Builds a wheel, with `DMF_BUILD_KERNELS` as given, and returns its path."""
    command = [sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", output, "."]
    environment = {**os.environ, "DMF_BUILD_KERNELS": kernels}
    done = subprocess.run(
        command, cwd=sources, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (path,) = (sources / output).glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel_path(sources) -> Path:
    """The wheel, by way of the source distribution: that is what a Beam worker would be sent."""
    return build(sources, "dist", kernels="0")


@pytest.fixture(scope="module")
def wheel(wheel_path) -> Iterator[zipfile.ZipFile]:
    """The wheel, opened."""
    with zipfile.ZipFile(wheel_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def installed(wheel_path, tmp_path_factory) -> Path:
    """The programs of a virtual environment with the wheel and the packages that run the tests.

    The packages are those of this environment, which the locks pin: nothing is downloaded.
    """
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    # Behind what is installed there: a checkout of this project would be hidden by the wheel.
    locked = sysconfig.get_path("purelib")
    (packages / "locked.pth").write_text(f"import site; site.addsitedir({locked!r})\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel_path, cwd=folder)
    return folder / "bin"


def run(*command, cwd) -> str:
    """Runs a command in a folder as a user who has no checkout, and returns what it printed."""
    hidden = ("PYTHONPATH", "PYTHONHOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_packages(wheel):
    expected = {
        path.relative_to(REPOSITORY).as_posix()
        for package in INSTALLED
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    }
    missing = expected - set(wheel.namelist())
    assert not missing, "no __init__.py beside it, or its kind is not in setup.py's package_data"


@pytest.mark.slow
def test_wheel_holds_nothing_else(wheel):
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == set(INSTALLED)


@pytest.mark.slow
def test_wheel_is_for_every_platform(wheel_path, wheel):
    assert wheel_path.name.endswith("-py3-none-any.whl")
    assert [name for name in wheel.namelist() if name.endswith(".so")] == []


@needs_compiler
@pytest.mark.slow(seconds=90)
def test_wheel_with_kernels_is_for_this_platform_and_loads_them(sources, wheel_path, tmp_path):
    platform_wheel = build(sources, "platform", "--wheel", kernels="1")
    tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert platform_wheel.name == wheel_path.name.replace("-any.whl", f"-{tag}.whl")
    with zipfile.ZipFile(platform_wheel) as opened, zipfile.ZipFile(wheel_path) as pure:
        (library,) = (name for name in opened.namelist() if name.endswith(".so"))
        rest = {name for name in opened.namelist() if name != library}
        assert rest == set(pure.namelist())

    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    options = ["--quiet", "--no-deps", "--no-index", "--target", "installed"]
    run(*pip, "install", *options, platform_wheel, cwd=tmp_path)
    code = """
import sys
sys.path.insert(0, "installed")
from kernels import library
module = library.load()
print(library.path(), all(hasattr(module, op) for op in library.OPS))
"""
    found = run(sys.executable, "-c", code, cwd=tmp_path).split()
    assert found == [str(tmp_path / "installed" / library), "True"]
    # What that build left is not in the next wheel.
    again = build(sources, "again", "--wheel", kernels="0")
    assert again.name == wheel_path.name
    with zipfile.ZipFile(again) as opened:
        assert [name for name in opened.namelist() if name.endswith(".so")] == []


def test_unknown_wish_for_kernels_is_refused():
    command = [sys.executable, "setup.py", "--version"]
    environment = {**os.environ, "DMF_BUILD_KERNELS": "yes"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "DMF_BUILD_KERNELS='yes', expected 0 or 1. Set 1, or unset it." in done.stderr


@pytest.mark.slow
def test_entry_points_exist(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(name).decode())
    scripts = dict(parser["console_scripts"])
    assert set(scripts) == SCRIPTS
    for script, target in scripts.items():
        module, function = target.split(":")
        tree = ast.parse(wheel.read(f"{module.replace('.', '/')}.py"))
        found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function]
        assert len(found) == 1, f"{script}: {module} defines no {function}"
        required = len(found[0].args.args) - len(found[0].args.defaults)
        assert required == 0, f"{script}: a console script calls {function}() without arguments"


@pytest.mark.slow(seconds=8)
def test_installed_wheel_is_what_is_imported(installed, wheel, tmp_path):
    code = f"""
import importlib.metadata, json
from features.version import VERSION
import {", ".join(INSTALLED)}
import serving_signatures.client as client
for name in client.__all__:
    getattr(client, name)
places = [package.__file__ for package in ({", ".join(INSTALLED)})]
print(json.dumps([importlib.metadata.version("dmf-ctr"), VERSION, places]))
"""
    version, own, places = json.loads(run(installed / "python", "-c", code, cwd=tmp_path))
    assert version == own
    for place in places:
        assert Path(place).is_relative_to(installed.parent), "the checkout was imported"


@pytest.mark.slow(seconds=20)
def test_every_installed_command_has_help(installed, tmp_path):
    assert {command.name for command in installed.glob("dmf*")} == SCRIPTS
    for name in sorted(SCRIPTS):
        text = run(installed / name, "--help", cwd=tmp_path)
        assert "train" in text if name == "dmf" else "--only_check_args" in text, text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow(seconds=15)
def test_installed_wheel_joins_what_it_simulates(installed, tmp_path):
    python = installed / "python"
    sizes = ["--events=2000", "--users=100", "--items=200"]
    run(python, "-m", "pipeline.simulate", "--output=market", *sizes, cwd=tmp_path)
    market = ["--events=market/impressions", "--items=market/items", "--users=market/users"]
    market += [f"--embeddings={name}=market/embeddings/{name}" for name in ("text", "image")]
    run(
        installed / "dmf-build-examples",
        *market,
        "--timestamp_unit=ms",
        "--output=examples",
        cwd=tmp_path,
    )
    assert (tmp_path / "examples" / "manifest.json").is_file()
    # The demo's configuration is a file of the wheel.
    run(
        *(installed / "dmf-run", "--config=demo", "--output=demo", "--only_check_args"),
        cwd=tmp_path,
    )


@pytest.mark.parametrize("package", INSTALLED)
def test_package_says_that_it_is_typed(package):
    # The wheel holds it: `test_wheel_holds_every_file_of_the_packages`.
    assert (REPOSITORY / package / "py.typed").is_file()


def test_locks_are_there():
    assert [lock.name for lock in LOCKS] == [
        "airflow.lock",
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
