"""What can be held of the worker image without a Docker engine: parse, compare, run its scripts."""

import ast
import fnmatch
import os
import re
import shlex
import socket
import subprocess
import sys

import pytest
import yaml

from pipeline.submission import manifests
from tests.conftest import REPOSITORY
from tests.pipeline.submission.submissions import submission
from tests.test_packaging import INSTALLED, pins

DOCKER = REPOSITORY / "docker"
DOCKERFILE = DOCKER / "worker" / "Dockerfile"


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, arguments) of each step, comments and line continuations resolved."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    steps = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    found = [(step.split(None, 1)[0].upper(), step.split(None, 1)[1]) for step in steps]
    given = dict(args.split("=", 1) for name, args in found if name == "ARG")
    return [
        (name, re.sub(r"\$\{(\w+_IMAGE)\}", lambda match: given[match[1]], args))
        for name, args in found
    ]


def setup_keyword(name: str) -> str:
    tree = ast.parse((REPOSITORY / "setup.py").read_text(encoding="utf-8"))
    (value,) = (
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setup"
        for keyword in node.keywords
        if keyword.arg == name
    )
    return value


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    return instructions(DOCKERFILE.read_text(encoding="utf-8"))


def hadolint(text: str) -> subprocess.CompletedProcess:
    command = [os.path.join(os.path.dirname(sys.executable), "hadolint"), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def test_linter_has_no_finding():
    linted = hadolint(DOCKERFILE.read_text(encoding="utf-8"))
    assert linted.returncode == 0, linted.stdout
    for planted in ("RUN apt-get install curl", "FROM python", "RUNN true"):
        assert hadolint(f"{DOCKERFILE.read_text(encoding='utf-8')}{planted}\n").returncode


def test_base_python_is_setup_pys(steps):
    low, high = re.fullmatch(r">=(3\.\d+),<(3\.\d+)", setup_keyword("python_requires")).groups()
    bases = [re.match(r"python:(3\.\d+)-", args) for name, args in steps if name == "FROM"]
    versions = {match.group(1) for match in bases if match}
    assert versions == {low}
    assert int(high.split(".")[1]) == int(low.split(".")[1]) + 1


def test_images_are_named_by_digest_or_can_be(steps):
    text = DOCKERFILE.read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.M)
    assert {re.fullmatch(r"\$\{\w+_IMAGE\}", base) is not None for base in bases} == {True}
    (python,) = {args.split()[0] for name, args in steps if name == "FROM" and "python:" in args}
    assert re.fullmatch(r"python:3\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", python)
    compose = (DOCKER / "docker-compose.yml").read_text(encoding="utf-8")
    worker = yaml.safe_load(compose)["x-worker"]["build"]
    given = re.findall(r"^ARG (\w+)=", text, re.M)
    assert sorted(worker["args"]) == sorted(given)
    page = (REPOSITORY / "docs" / "clusters.md").read_text(encoding="utf-8")
    assert all(name in page for name in [*given, "SERVING_IMAGE"])


def test_sdk_harness_is_the_locked_beam(steps):
    (harness,) = (args for name, args in steps if name == "FROM" and "beam_python" in args)
    version = pins("runtime.lock")["apache-beam"]
    low = re.match(r">=(3\.\d+)", setup_keyword("python_requires")).group(1)
    assert harness == f"apache/beam_python{low}_sdk:{version} AS beam"


def test_image_installs_hashed_locks_only(steps):
    installs = [
        command
        for name, args in steps
        if name == "RUN"
        for command in args.split("&&")
        if "pip install" in command
    ]
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command, command


def copied_sources(steps) -> list[str]:
    found = []
    for name, args in steps:
        if name in {"COPY", "ADD"} and "--from=" not in args:
            found += [word for word in shlex.split(args) if not word.startswith("--")][:-1]
    return found


def test_copied_sources_exist(steps):
    sources = copied_sources(steps)
    assert {f"{package}/" for package in INSTALLED} <= set(sources)
    assert [source for source in sources if not (REPOSITORY / source).exists()] == []


def test_copied_sources_pass_the_ignore_file(steps):
    lines = (DOCKER / "worker" / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "start from nothing"
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    for source in copied_sources(steps):
        path = source.rstrip("/")
        assert any(fnmatch.fnmatch(path, pattern) for pattern in allowed), path
    assert not any(fnmatch.fnmatch(".venv", pattern) for pattern in allowed)


def test_image_runs_as_a_numbered_user_and_checks_its_health(steps):
    last_stage = steps[max(i for i, (name, _) in enumerate(steps) if name == "FROM") :]
    names = [name for name, _ in last_stage]
    (user,) = (args for name, args in last_stage if name == "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert "RUN" not in names[names.index("USER") :], "a later step would run as that user"
    assert names.count("HEALTHCHECK") == 1
    pod = manifests.render(submission())[0]["spec"]["template"]["spec"]["securityContext"]
    assert user == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    assert dict(last_stage)["ENTRYPOINT"] == '["/usr/local/bin/entrypoint.sh"]'


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--id=1", "--logging_endpoint=a b"], "boot --id=1 --logging_endpoint=a b"),
        (["--worker_pool"], "boot --worker_pool"),
        (["echo", "dmf-train", "--model_dir"], "dmf-train --model_dir"),
    ],
)
def test_entrypoint_is_harness_or_command(tmp_path, arguments, expected):
    boot = tmp_path / "boot"
    boot.write_text('#!/bin/sh\necho boot "$@"\n')
    boot.chmod(0o755)
    command = [DOCKER / "worker" / "entrypoint.sh", *arguments]
    environment = {**os.environ, "BEAM_BOOT": str(boot)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_entrypoint_without_arguments_asks_for_a_command():
    command = [DOCKER / "worker" / "entrypoint.sh"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert "name a command" in done.stderr


def healthcheck(port: str) -> subprocess.CompletedProcess:
    command = [sys.executable, DOCKER / "worker" / "healthcheck.py"]
    environment = {**os.environ, "HEALTH_PORT": port}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_healthcheck_follows_the_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert healthcheck(port).returncode == 0
    closed = healthcheck(port)
    assert closed.returncode == 1
    assert port in closed.stderr
    assert healthcheck("").returncode == 0
