"""What can be held of the images without a Docker engine: parse, compare, and run the scripts."""

import ast
import fnmatch
import http.server
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf import wrappers_pb2 as wrappers

from tests.test_layout import MAY_IMPORT, REPOSITORY
from tests.test_packaging import pins

DOCKER = REPOSITORY / "docker"
DOCKERFILE = DOCKER / "worker" / "Dockerfile"
FIELD = descriptor_pb2.FieldDescriptorProto


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, arguments) of each step, comments and line continuations resolved."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    steps = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(step.split(None, 1)[0].upper(), step.split(None, 1)[1]) for step in steps]


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


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((DOCKER / "docker-compose.yml").read_text(encoding="utf-8"))


# The worker image.


def test_base_python_is_setup_pys(steps):
    low, high = re.fullmatch(r">=(3\.\d+),<(3\.\d+)", setup_keyword("python_requires")).groups()
    bases = [re.match(r"python:(3\.\d+)-", args) for name, args in steps if name == "FROM"]
    versions = {match.group(1) for match in bases if match}
    assert versions == {low}
    assert int(high.split(".")[1]) == int(low.split(".")[1]) + 1


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
    assert {f"{package}/" for package in MAY_IMPORT} <= set(sources)
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


def test_entrypoint_without_arguments_says_what_it_wants():
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


# TensorFlow Serving.


def serving_message(name: str):
    """A message class of TensorFlow Serving that its Python package leaves out.

    `tensorflow-serving-api` holds model_server_config but neither session_bundle_config nor
    monitoring_config: their fields, numbers and types are declared here as those files have them.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="dmf_test_serving.proto", package="tensorflow.serving", syntax="proto3"
    )
    file.dependency.append(wrappers.DESCRIPTOR.name)

    def message(message_name, *fields):
        declared = file.message_type.add(name=message_name)
        for number, (field_name, kind, repeated) in enumerate(fields, start=1):
            label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            field = declared.field.add(name=field_name, number=number, label=label)
            if isinstance(kind, str):
                field.type, field.type_name = FIELD.TYPE_MESSAGE, kind
            else:
                field.type = kind

    integer, string = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
    message(
        "BatchingParameters",
        ("max_batch_size", integer, False),
        ("batch_timeout_micros", integer, False),
        ("max_enqueued_batches", integer, False),
        ("num_batch_threads", integer, False),
        ("thread_pool_name", string, False),
        ("allowed_batch_sizes", FIELD.TYPE_INT64, True),
        ("pad_variable_length_inputs", FIELD.TYPE_BOOL, False),
    )
    message(
        "PrometheusConfig",
        ("enable", FIELD.TYPE_BOOL, False),
        ("path", FIELD.TYPE_STRING, False),
    )
    message(
        "MonitoringConfig", ("prometheus_config", ".tensorflow.serving.PrometheusConfig", False)
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))


def parse(name: str, message):
    return text_format.Parse((DOCKER / "serving" / name).read_text(encoding="utf-8"), message)


def test_models_config():
    from tensorflow_serving.config import model_server_config_pb2

    parsed = parse("models.config", model_server_config_pb2.ModelServerConfig())
    (model,) = parsed.model_config_list.config
    assert model.base_path == f"/models/{model.name}"
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 2


def test_batching_parameters():
    parsed = parse("batching_parameters.txt", serving_message("BatchingParameters")())
    sizes = list(parsed.allowed_batch_sizes)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == parsed.max_batch_size.value, "TensorFlow Serving refuses to start"
    assert parsed.num_batch_threads.value >= 1
    # Padding repeats a tensor's first value: a mask would come out wrong.
    assert not parsed.pad_variable_length_inputs


def test_monitoring_config():
    parsed = parse("monitoring.config", serving_message("MonitoringConfig")())
    assert parsed.prometheus_config.enable
    assert parsed.prometheus_config.path.startswith("/")


def test_misspelt_parameter_does_not_parse():
    with pytest.raises(text_format.ParseError, match="max_batch_sise"):
        text_format.Parse("max_batch_sise { value: 8 }", serving_message("BatchingParameters")())


# Compose.


def test_serving_is_the_minor_version_that_exports(compose):
    tag = compose["services"]["serving"]["image"].removeprefix("tensorflow/serving:")
    assert tag.split(".")[:2] == pins("runtime.lock")["tensorflow"].split(".")[:2]


def test_serving_reads_the_files_of_this_folder(compose):
    service = compose["services"]["serving"]
    assert "./serving:/config:ro" in service["volumes"]
    named = re.findall(r"=/config/(\S+)", "\n".join(service["command"]))
    held = {path.name for path in (DOCKER / "serving").iterdir()} - {"README.md"}
    assert set(named) == held


def test_ports_are_published_on_loopback_only(compose):
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_worker_services_build_the_dockerfile(compose):
    for name in ("trainer", "tensorboard"):
        build = compose["services"][name]["build"]
        assert (DOCKER / build["context"]).resolve() == REPOSITORY
        assert (REPOSITORY / build["dockerfile"]).is_file()


@contextmanager
def model_status_server(state: str):
    body = json.dumps({"model_version_status": [{"version": "1", "state": state}]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/v1/models/dmf" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("state", "healthy"), [("AVAILABLE", True), ("LOADING", False)])
def test_serving_health_is_the_models_state(compose, state, healthy):
    kind, *command = compose["services"]["serving"]["healthcheck"]["test"]
    assert kind == "CMD"
    with model_status_server(state) as port:
        command = [word.replace("8501", str(port)) for word in command]
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    assert (done.returncode == 0) is healthy, done.stderr
