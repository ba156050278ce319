"""The command: a dry run prints everything and runs nothing; wrong flags are found first."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.submission import commands, jobs
from tests import job_processes
from tests.conftest import REPOSITORY
from tests.pipeline.submission import servings
from tests.pipeline.submission.submissions import submission

IMAGE = "--set=image=registry.example/dmf-worker:1.2.3"
CONVERT = ("--dataset=movielens", "--input=/data/ml", "--output=/data/out")


PRELOADED = ("pipeline.runtime.entry_point", "pipeline.submission.targets", "pipeline.join.flags")


def submit(*arguments: str, path: str | None = None) -> job_processes.Outcome:
    environment = {} if path is None else {"PATH": path}
    (outcome,) = job_processes.run([["pipeline.submit", *arguments]], PRELOADED, environment)
    return outcome


def fake(folder: Path, name: str, script: str) -> str:
    """Puts a program of that name, which records its arguments, alone into a PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    record = f'printf "%s\\n" "$*" >> {shlex.quote(str(folder))}/{name}.calls'
    program.write_text(f"#!/bin/sh\n{record}\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{folder}:/usr/bin:/bin"


def test_every_entry_point_is_a_job():
    expected = {
        path.stem
        for path in (REPOSITORY / "pipeline").glob("*.py")
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8") and path.stem != "__main__"
    }
    assert set(jobs.names()) == expected - {"submit"}
    assert {"build_examples", "train", "evaluate", "export", "run"} <= expected


def test_dry_run_of_kubernetes_prints_manifests_and_nothing_else(tmp_path):
    path = fake(tmp_path / "bin", "kubectl", "cat")
    run = submit(
        *("--job=convert", "--target=kubernetes", IMAGE, "--volume=ctr:/data", "--dry_run", "--"),
        *CONVERT,
        path=path,
    )
    assert run.code == 0, run.stderr
    (job,) = yaml.safe_load_all(run.stdout)
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"][2:] == ["pipeline.convert", *CONVERT]
    assert not (tmp_path / "bin" / "kubectl.calls").exists()


def test_kubernetes_pipes_the_same_manifests_to_kubectl(tmp_path):
    folder = tmp_path / "bin"
    path = fake(folder, "kubectl", f"cat > {folder}/applied; exit 3")
    arguments = ["--job=convert", "--target=kubernetes", IMAGE, "--volume=ctr:/data"]
    run = submit(*arguments, "--", *CONVERT, path=path)
    assert run.code == 3, "kubectl's own code"
    assert (folder / "kubectl.calls").read_text() == "apply -f -\n"
    printed = submit(*arguments, "--dry_run", "--", *CONVERT, path=path).stdout
    assert (folder / "applied").read_text() == printed


@pytest.mark.parametrize(("target", "tool"), [("kubernetes", "kubectl"), ("docker", "docker")])
def test_without_its_tool_a_target_reports_it(tmp_path, target, tool):
    arguments = ["--job=convert", f"--target={target}", IMAGE, "--volume=ctr:/data"]
    run = submit(*arguments, "--", *CONVERT, path=str(tmp_path))
    assert run.code == 2
    assert f"no `{tool}` in PATH" in run.stderr and "--dry_run" in run.stderr
    assert "Traceback" not in run.stderr


def test_docker_without_an_engine_reports_it(tmp_path):
    path = fake(tmp_path / "bin", "docker", "echo 'Cannot connect to it' >&2; exit 1")
    run = submit("--job=convert", "--target=docker", "--", *CONVERT, path=path)
    assert run.code == 2
    assert "no Docker engine answers (Cannot connect to it)" in run.stderr
    assert "run" not in (tmp_path / "bin" / "docker.calls").read_text()


def test_docker_runs_again_at_75(tmp_path):
    folder = tmp_path / "bin"
    once = f"{folder}/once"
    script = f'[ "$1" = run ] || exit 0\n[ -e {once} ] && exit 0\ntouch {once}; exit 75'
    path = fake(folder, "docker", script)
    run = submit("--job=convert", "--target=docker", "--", *CONVERT, path=path)
    assert run.code == 0, run.stderr
    calls = (folder / "docker.calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["version", "run", "run"]
    assert calls[1] == calls[2] and calls[1].endswith(shlex.join(CONVERT))


def test_once_hands_the_codes_of_every_target_on(tmp_path):
    folder = tmp_path / "bin"
    path = fake(folder, "docker", '[ "$1" = run ] || exit 0\nexit 75')
    run = submit("--job=convert", "--target=docker", "--once", "--", *CONVERT, path=path)
    assert run.code == 75, run.stderr
    calls = (folder / "docker.calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["version", "run"]

    arguments = ["--job=convert", "--target=kubernetes", IMAGE, "--volume=ctr:/data", "--once"]
    path = fake(folder, "kubectl", f"case $3 in apply) cat > {folder}/applied; exit 3;; esac")
    run = submit(*arguments, "--", *CONVERT, path=path)
    assert run.code == 3, "kubectl's own code"
    printed = submit(*arguments, "--dry_run", "--", *CONVERT, path=path).stdout
    assert (folder / "applied").read_text() == printed


@pytest.mark.skipif(shutil.which("docker") is None, reason="no Docker client")
def test_docker_knows_every_option():
    options = {"workers": 2, "secrets": [os.devnull], "environment": {"A": "b c"}}
    elsewhere = {**os.environ, "DOCKER_HOST": "unix:///nonexistent.sock"}
    for command in commands.docker(submission(**options)):
        run = subprocess.run(
            command.words, env=elsewhere, capture_output=True, text=True, check=False
        )
        # An unknown option is reported before the engine is asked.
        assert "nonexistent.sock" in run.stderr, run.stderr


def test_servers_are_piped_to_kubectl_as_they_are_printed(tmp_path):
    folder = tmp_path / "bin"
    path = fake(folder, "kubectl", f"cat > {folder}/applied; exit 3")
    given = ["--job=serve", "--target=kubernetes", f"--set=export_dir={servings.model(tmp_path)}"]
    given.append("--volume=ctr-models:/models:ro")
    run = submit(*given, path=path)
    assert run.code == 3, "kubectl's own code"
    assert (folder / "kubectl.calls").read_text() == "apply -f -\n"
    printed = submit(*given, "--dry_run", path=path)
    assert printed.code == 0, printed.stderr
    assert (folder / "applied").read_text() == printed.stdout
    kinds = [one["kind"] for one in yaml.safe_load_all(printed.stdout)]
    assert kinds[0] == "ConfigMap" and {"Deployment", "HorizontalPodAutoscaler"} < set(kinds)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--target=docker"], "--job serve --target docker.*docker-compose.yml"),
        (["--target=local"], "expected --target kubernetes.*docker compose"),
        (["--target=kubernetes", "--", "--port=1"], "no flags of its own: received.*--port=1"),
        (["--target=kubernetes", "--once"], "--once has no end"),
        (["--target=kubernetes"], "export_dir: .*required"),
        (["--target=kubernetes", "--set=export_dir=a", "--set=workers=2"], "workers: Unexpected"),
    ],
)
def test_what_servers_cannot_be_given_is_refused(arguments, expected):
    run = submit("--job=serve", "--dry_run", *arguments)
    assert (run.code, run.stdout) == (2, "")
    assert "Traceback" not in run.stderr
    assert re.search(expected, run.stderr, re.S), run.stderr


def test_local_passes_the_exit_code_on(tmp_path):
    flags = ["--dataset=movielens", f"--input={tmp_path}/none", f"--output={tmp_path}/out"]
    run = submit("--job=convert", "--target=local", "--", *flags)
    assert run.code == 2
    assert "Traceback" not in run.stderr and f"{tmp_path}/none" in run.stderr


def test_dry_run_of_local_prints_the_command():
    given = ["--job=convert", "--target=local", "--dry_run", "--set=environment={'A':'b c'}", "--"]
    command = [sys.executable, "-m", "pipeline.submit", *given, *CONVERT]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert run.returncode == 0, run.stderr
    expected = ["A=b c", sys.executable, "-m", "pipeline.convert", *CONVERT]
    assert shlex.split(run.stdout) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["--job=convert"], [*CONVERT, "--inptu=x"], "--job convert refuses its flags.*inptu"),
        (["--job=convert"], CONVERT[:2], "refuses its flags.*output"),
        (["--job=convert"], [*CONVERT, "stray"], "refuses its flags.*stray"),
        (["--job=nothing"], CONVERT, "convert.*train"),
        (["--job=convert", "--voluem=a:/b"], CONVERT, "'--voluem=a:/b'.*after a `--`"),
        (["--job=convert", "--set=cpu=1"], CONVERT, "cpu: Unexpected keyword"),
        (["--job=convert", "--volume=data"], CONVERT, "SOURCE:/MOUNT"),
        (
            ["--job=convert"],
            ["--dataset=movielens", "--input=pipeline/configs", "--output=/data/x"],
            "path of this machine",
        ),
    ],
)
def test_what_is_wrong_is_found_before_anything_runs(before, after, expected):
    run = submit("--target=docker", "--dry_run", "--volume=ctr:/data", *before, "--", *after)
    assert run.code == 2, run.stdout
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    assert re.search(expected, run.stderr, re.S), run.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "flags", "expected"),
    [
        ("train", ["--examples=/d", "--model_dir=/m", "--set=model.haeds=2"], "model.haeds"),
        ("train", ["--examples=/d", "--model_dir=/m", "--embeddings=text"], "NAME=FOLDER"),
        ("run", ["--output=/d", "--set=training.epochs=0"], "training.epochs"),
        ("build_examples", ["--events=/e", "--output=/o", "--runnner=X"], "--runnner"),
        ("build_examples", ["--events=/e", "--output=/o", "--history_length=0"], "history_length"),
        ("export", ["--model_dir=/m", "--export_dir=/e", "--embeddings=text"], "NAME=FOLDER"),
        ("train", ["--examples=/d", "--model_dir=/m", "--config=/data/absent.py"], None),
        ("build_examples", ["--events=/e", "--output=/o", "--runner=FlinkRunner"], None),
    ],
)
def test_jobs_check_their_own_flags(job, flags, expected):
    run = submit(f"--job={job}", "--target=docker", "--dry_run", "--", *flags)
    assert run.code == (0 if expected is None else 2), run.stderr
    assert expected is None or expected in run.stderr
