"""The Compose file is valid by the Compose Specification, and calls what the image has."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY

DOCKER = REPOSITORY / "docker"
COMPOSE = DOCKER / "docker-compose.yml"


@pytest.fixture(scope="module")
def services() -> dict:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


def check(path: Path) -> subprocess.CompletedProcess:
    program = os.path.join(os.path.dirname(sys.executable), "check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_compose_file_keeps_the_specification(tmp_path):
    valid = check(COMPOSE)
    assert valid.returncode == 0, valid.stdout
    planted = tmp_path / "docker-compose.yml"
    for good, bad in (("stop_grace_period", "stop_grace"), ("profiles: [train]", "profiles: 3")):
        text = COMPOSE.read_text(encoding="utf-8")
        assert good in text
        planted.write_text(text.replace(good, bad), encoding="utf-8")
        assert check(planted).returncode == 1


def test_compose_builds_the_dockerfile(services):
    for name in ("trainer", "tensorboard"):
        build = services[name]["build"]
        assert (DOCKER / build["context"]).resolve() == REPOSITORY
        assert (REPOSITORY / build["dockerfile"]).is_file()


def test_commands_are_in_the_image(services):
    scripts = re.findall(r'"(dmf-[a-z-]+)=', (REPOSITORY / "setup.py").read_text(encoding="utf-8"))
    assert services["trainer"]["command"][0] in scripts
    # tensorboard's own script: of the runtime lock, so of the image.
    lock = (REPOSITORY / "requirements" / "runtime.lock").read_text(encoding="utf-8")
    assert f"\n{services['tensorboard']['command'][0]}==" in lock


def test_trainer_has_time_to_save_and_no_privileges(services):
    for name in ("trainer", "tensorboard"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["init"] is True
    assert services["trainer"]["stop_grace_period"] == "120s"
    assert "restart" not in services["trainer"], "Docker would retry wrong input as well"
