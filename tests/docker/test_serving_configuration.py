"""TensorFlow Serving's files parse as its own messages, and Compose mounts and checks them."""

import re
import subprocess

import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf import wrappers_pb2 as wrappers

from pipeline.submission import serve_manifests
from pipeline.submission.serve_settings import ServeSettings
from serving_signatures.versions import rollout
from serving_signatures.versions.rollout import Rollout
from tests.conftest import REPOSITORY
from tests.model_status import model_status_server
from tests.test_packaging import pins

DOCKER = REPOSITORY / "docker"
FIELD = descriptor_pb2.FieldDescriptorProto


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((DOCKER / "docker-compose.yml").read_text(encoding="utf-8"))


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


def test_models_config_is_what_promote_writes():
    from tensorflow_serving.config import model_server_config_pb2

    parsed = parse("models.config", model_server_config_pb2.ModelServerConfig())
    (model,) = parsed.model_config_list.config
    assert model.base_path == f"/models/{model.name}"
    nothing = Rollout(model.name, model.base_path, {}, frozenset())
    written = nothing.promote(1, "stable").promote(2, "canary").render()
    text = (DOCKER / "serving" / "models.config").read_text(encoding="utf-8")
    assert "".join(line for line in text.splitlines(True) if line[0] != "#") == written


def test_batching_parameters():
    parsed = parse("batching_parameters.txt", serving_message("BatchingParameters")())
    assert parsed.num_batch_threads.value >= 1
    # The server takes nothing else from here: sizes are in batching_params.pbtxt of each version.
    assert [field.name for field, _ in parsed.ListFields()] == ["num_batch_threads"]


def test_monitoring_config():
    parsed = parse("monitoring.config", serving_message("MonitoringConfig")())
    assert parsed.prometheus_config.enable
    assert parsed.prometheus_config.path.startswith("/")
    text = (DOCKER / "serving" / "monitoring.config").read_text(encoding="utf-8")
    assert text == serve_manifests.MONITORING, "the one for Kubernetes"


def test_misspelt_parameter_does_not_parse():
    with pytest.raises(text_format.ParseError, match="max_batch_sise"):
        text_format.Parse("max_batch_sise { value: 8 }", serving_message("BatchingParameters")())


def test_serving_is_the_minor_version_that_exports(compose):
    image = compose["services"]["serving"]["image"]
    tag = re.fullmatch(r"\$\{SERVING_IMAGE:-tensorflow/serving:([0-9.]+)\}", image)[1]
    assert tag.split(".")[:2] == pins("runtime.lock")["tensorflow"].split(".")[:2]
    assert ServeSettings(export_dir="serving/dmf").image == f"tensorflow/serving:{tag}"


def test_serving_reads_the_files_of_this_folder_and_what_promote_writes(compose):
    service = compose["services"]["serving"]
    assert "./serving:/config:ro" in service["volumes"]
    command = "\n".join(service["command"])
    held = {path.name for path in (DOCKER / "serving").iterdir() if path.is_file()} - {"README.md"}
    assert set(re.findall(r"=/config/(\S+)", command)) == held - {rollout.FILE_NAME}
    assert f"--model_config_file=/models/dmf/{rollout.FILE_NAME}" in service["command"]
    assert "--allow_version_labels_for_unavailable_models=true" in service["command"]
    assert "--enable_per_model_batching_parameters=true" in service["command"]


def test_ports_are_published_on_loopback_only(compose):
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize(("state", "healthy"), [("AVAILABLE", True), ("LOADING", False)])
def test_serving_health_is_the_models_state(compose, state, healthy):
    kind, *command = compose["services"]["serving"]["healthcheck"]["test"]
    assert kind == "CMD"
    with model_status_server("/v1/models/dmf", 1, state) as port:
        command = [word.replace("8501", str(port)) for word in command]
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    assert (done.returncode == 0) is healthy, done.stderr
