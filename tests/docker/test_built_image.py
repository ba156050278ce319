"""The built worker image, run: `make test-image`. What it holds, who may write, what it does."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docker import containers
from tests.pipeline import engine_jobs
from tests.pipeline.training_runs import every_model
from tests.test_packaging import SCRIPTS, pins

pytestmark = [pytest.mark.image, pytest.mark.slow(seconds=30)]

POOL_PORT = "50000"
PLACES = ("inside", "outside")


@pytest.fixture(scope="module")
def container() -> Iterator[containers.Container]:
    """A container with nothing mounted but `/tmp`."""
    with containers.start(tmpfs=["/tmp:mode=1777"]) as running:
        yield running


def test_it_has_the_packages_of_the_lock_and_this_one(container):
    script = "import importlib.metadata as m; [print(d.name, d.version) for d in m.distributions()]"
    done = container.run("python", "-c", script)
    assert done.returncode == 0, done.stderr
    found = dict(line.lower().replace("_", "-").split() for line in done.stdout.splitlines())
    version = found.pop("dmf-ctr")
    assert f'VERSION = "{version}"' in (REPOSITORY / "features/version.py").read_text()
    assert found == {**pins("bootstrap.lock"), **pins("runtime.lock")}


def test_its_user_can_write_data_home_and_temporary_folders_alone(container):
    rights = ["(", "-perm", "-o+w", "-o", "-user", "10001", "-o", "-group", "10001", ")"]
    # Every engine mounts over /dev, and the containers of these tests over /run.
    elsewhere = ["(", "-path", "./dev", "-o", "-path", "./run", ")", "-prune", "-o"]
    command = ["find", ".", "-xdev", *elsewhere, "!", "-type", "l", *rights, "-print", "-prune"]
    found = subprocess.run(
        command, cwd=container.root, capture_output=True, text=True, check=True
    ).stdout.split()
    assert sorted(found) == ["./data", "./home/dmf", "./tmp", "./var/tmp"]


def test_nothing_of_a_read_only_root_is_writable(container):
    done = container.run("find", "/", "-xdev", "-writable", "!", "-type", "l")
    assert done.stdout.split() == ["/tmp"], "the one that is mounted"
    places = "/x /data/x /home/dmf/x /var/tmp/x /opt/venv/x"
    tried = container.run("sh", "-c", f"for x in {places} /tmp/x; do touch $x && echo $x; done")
    assert tried.stdout == "/tmp/x\n"
    assert tried.stderr.count("Read-only file system") == len(places.split())
    status = container.run("cat", "/proc/self/status").stdout
    assert re.search(r"NoNewPrivs:\s+1\n", status)
    assert re.search(r"CapEff:\s+0+\n", status)
    assert re.search(r"Uid:\s+10001\s+10001\s", status)


def test_every_console_script_prints_its_help(container):
    listed = container.run("sh", "-c", "cd /opt/venv/bin && ls dmf*").stdout.split()
    assert set(listed) == SCRIPTS
    loop = 'cd /opt/venv/bin; for one in dmf*; do echo "== $one"; $one --help || echo FAILED; done'
    texts = re.split("^== ", container.run("sh", "-c", loop).stdout, flags=re.MULTILINE)[1:]
    assert len(texts) == len(SCRIPTS)
    for text in texts:
        name, _, shown = text.partition("\n")
        assert "FAILED" not in shown, name
        assert ("train" if name == "dmf" else "--only_check_args") in shown, text


def test_the_doctor_finds_no_fault(container):
    done = container.run("dmf-doctor", environment={"HOME": "/tmp"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_command_it_says_so_and_by_default_it_shows_the_trainings_help(container):
    assert container.run().returncode == 64
    config = containers.configuration()
    done = container.run(*config["Cmd"])
    assert done.returncode == 0, done.stderr
    assert "--model_dir" in done.stdout


def test_the_pool_of_workers_is_healthy_while_it_listens(container):
    how, *check = containers.configuration()["Healthcheck"]["Test"]
    assert how == "CMD"

    def health(port: str) -> int:
        return container.run(*check, environment={"HEALTH_PORT": port}).returncode

    assert health("") == 0
    assert health(POOL_PORT) == 1
    pool = subprocess.Popen(container.command("--worker_pool"))
    try:
        deadline = time.monotonic() + 600
        while health(POOL_PORT) != 0:
            assert pool.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        container.kill()
        pool.wait(20)
    assert health(POOL_PORT) == 1


def test_its_size_is_the_documented_one(container):
    counted = subprocess.run(
        ["du", "-sxm", "--apparent-size", str(container.root)],
        capture_output=True,
        text=True,
        check=True,
    )
    megabytes = int(counted.stdout.split()[0]) * 1.048576
    page = (REPOSITORY / "docs/clusters.md").read_text(encoding="utf-8")
    written = re.search(r"The image has ([\d.]+) GB", page)
    assert written, f"write into the page: The image has {megabytes / 1000:.1f} GB"
    assert megabytes / 1000 == pytest.approx(float(written[1]), abs=0.1)


def submitted(folder: Path, job: str, *flags: str) -> list[str]:
    """Returns the `docker run` that a submission of a job prints."""
    command = [sys.executable, "-m", "pipeline.submit", f"--job={job}", "--target=docker"]
    command += [f"--set=image={containers.IMAGE}", f"--volume={folder}:{folder}", "--dry_run"]
    done = subprocess.run(
        [*command, "--", *flags], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout)


def here(module: str, *flags: str) -> None:
    """Runs a job in this environment, outside of the image."""
    command = [sys.executable, "-m", module, *flags]
    subprocess.run(command, check=True, cwd=REPOSITORY, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Tables, and the examples, model and export that submitted jobs made of them."""
    folder = tmp_path_factory.mktemp("submitted")
    every_model.write_tables(folder)
    # Pytest's own folders are root's alone.
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)
    os.chown(folder, 10001, 10001)
    steps = [every_model.join(folder), every_model.train(folder, "dmf")]
    steps += [[*every_model.evaluate(folder, "dmf"), f"--output={folder / 'inside.json'}"]]
    steps += [every_model.export(folder, "dmf") + every_model.embeddings(folder)]
    for module, *flags in steps:
        done = containers.docker_run(submitted(folder, module.removeprefix("pipeline."), *flags))
        assert done.returncode == 0, f"{module}: {done.stderr}"
    return folder


def test_a_submitted_join_writes_the_bytes_of_one_outside(folder):
    here(*every_model.join(folder, output="outside"))
    expected = engine_jobs.hashes(folder / "outside")
    assert len(expected) > 3
    assert engine_jobs.hashes(folder / "examples") == expected


def leaves(value, path=""):
    """Returns the path and the value of each number, text or null."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, one in items for leaf in leaves(one, f"{path}/{key}")]
    return [(path, value)]


def test_a_submitted_training_is_evaluated_alike_outside(folder):
    here(*every_model.evaluate(folder, "dmf"), f"--output={folder / 'outside.json'}")
    inside, outside = (json.loads((folder / f"{one}.json").read_text()) for one in PLACES)
    # The image has native kernels, which round otherwise than the stock ops outside.
    (paths, found), (expected_paths, expected) = (
        zip(*leaves(one), strict=True) for one in (inside, outside)
    )
    assert paths == expected_paths
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_submitted_export_is_a_version_that_belongs_to_the_images_user(folder):
    (version,) = (folder / "serving" / "dmf").glob("[0-9]*")
    assert (version / "saved_model.pb").stat().st_uid == 10001


def test_an_option_of_docker_without_an_equal_is_an_error(folder):
    argv = submitted(folder, "doctor")
    with pytest.raises(AssertionError, match="--privileged"):
        containers.docker_run([*argv[:2], "--privileged", *argv[2:]])
