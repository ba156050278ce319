"""Servers: valid manifests, pods that never change what they serve, and are replaced one by one."""

import re
import urllib.parse

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from features.errors import UserInputError
from pipeline.releases.model_versions import ModelVersions
from pipeline.submission import manifests, serve_manifests, yaml_text
from tests.pipeline.submission import servings
from tests.pipeline.submission.servings import IN_A_STORE, ON_A_CLAIM, container, flags, pod
from tests.pipeline.submission.test_manifests import VERSIONS

# TensorFlow Serving's own, http_rest_api_util.cc; the answer is 200 only for a loaded version.
STATUS_PATH = (
    r"(?i)/v1/models(?:/([^/:]+))?(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?(?:\/(metadata))?"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return servings.model(tmp_path_factory.mktemp("serving"))


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(model, version):
    everything = {**ON_A_CLAIM, "service_account": "reader", "node_selector": {"pool": "cpu"}}
    for settings in (ON_A_CLAIM, everything, IN_A_STORE):
        manifests.validate(serve_manifests.render(servings.serving(model, **settings)), version)


def test_the_pods_get_what_was_promoted(model):
    found = servings.rendered(model)
    data = found["ConfigMap"]["data"]
    config = text_format.Parse(data["models.config"], model_server_config_pb2.ModelServerConfig())
    (one,) = config.model_config_list.config
    assert (one.name, one.base_path) == ("dmf", "/models/dmf")
    assert dict(one.version_labels) == {"stable": 1}
    assert list(one.model_version_policy.specific.versions) == [1, 2]
    (source,) = [one for one in pod(found)["volumes"] if "configMap" in one]
    assert source["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
    (mount,) = [one for one in container(found)["volumeMounts"] if one["name"] == source["name"]]
    given = flags(container(found))
    for flag in ("model_config_file", "batching_parameters_file", "monitoring_config_file"):
        folder, _, name = given[f"--{flag}"].rpartition("/")
        assert folder == mount["mountPath"] and name in data


def test_a_promotion_is_a_rolling_update_and_the_same_submission_is_none(tmp_path):
    path = servings.model(tmp_path)
    before, again = servings.rendered(path), servings.rendered(path)
    assert before == again
    ModelVersions(str(path)).promote(2, "stable", without_gate="a test")
    after = servings.rendered(path)
    names = {one["ConfigMap"]["metadata"]["name"] for one in (before, after)}
    assert len(names) == 2, "pods of the old one are restarted with the old configuration"
    assert before["ConfigMap"]["immutable"] is True
    assert pod(before) != pod(after)
    for kind in ("Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"):
        assert before[kind] == after[kind]
    selectors = [one["Deployment"]["spec"]["selector"] for one in (before, after)]
    assert selectors[0] == selectors[1], "Kubernetes refuses another one"


def test_one_pod_loads_at_a_time_and_none_while_it_answers(model):
    found = servings.rendered(model)
    given = flags(container(found))
    assert given["--model_config_file_poll_wait_seconds"] == "0"
    assert given["--file_system_poll_wait_seconds"] == "0"
    strategy = found["Deployment"]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert "replicas" not in found["Deployment"]["spec"], "the autoscaler's"


@pytest.mark.parametrize("name", ["dmf", "1e3", "on", "~", "a b", "$(HOME)", "é#?%"])
def test_probes_ask_for_the_loaded_version_of_a_label(tmp_path, name):
    path = servings.model(tmp_path, name)
    found = container(servings.rendered(path))
    asked = []
    for probe in ("startupProbe", "readinessProbe"):
        match = re.fullmatch(STATUS_PATH, found[probe]["httpGet"]["path"])
        asked.append([match[1] and urllib.parse.unquote(match[1]), *match.groups()[1:]])
    assert asked == [[name, "2", None, "metadata"], [name, None, "stable", "metadata"]]


def test_a_pod_that_ends_answers_until_clients_have_gone(model):
    found = servings.rendered(model, **ON_A_CLAIM, drain_seconds=30)
    slept = container(found)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert slept == 30 < pod(found)["terminationGracePeriodSeconds"]
    assert flags(container(found))["--grpc_channel_arguments"] == "grpc.max_connection_age_ms=10000"
    # The server handles no SIGTERM, and process 1 would ignore it.
    assert container(found)["command"] == ["tensorflow_model_server"]
    assert pod(found)["shareProcessNamespace"] is True


def test_every_container_keeps_the_restricted_security_standard(model):
    for settings in (ON_A_CLAIM, IN_A_STORE):
        found = pod(servings.rendered(model, **settings))
        assert found["securityContext"]["runAsNonRoot"] is True
        assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in (*found.get("initContainers", ()), *found["containers"]):
            assert one["securityContext"]["allowPrivilegeEscalation"] is False
            assert one["securityContext"]["readOnlyRootFilesystem"] is True
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        kinds = {key for volume in found["volumes"] for key in volume} - {"name"}
        assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim"}


def test_from_a_store_the_versions_are_copied_before_the_server_starts(model):
    found = pod(servings.rendered(model, **IN_A_STORE))
    (fetch,) = found["initContainers"]
    assert fetch["image"] == IN_A_STORE["worker_image"]
    given = flags(fetch)
    assert given["--source"] == IN_A_STORE["model_uri"]
    assert given["--versions"] == "1,2"
    written = {one["mountPath"]: one["name"] for one in fetch["volumeMounts"]}
    read = {one["mountPath"]: one["name"] for one in found["containers"][0]["volumeMounts"]}
    assert written[given["--export_dir"]] == read["/models/dmf"]
    assert fetch["envFrom"] == [{"secretRef": {"name": "s3-credentials"}}]
    assert "envFrom" not in found["containers"][0], "the server needs no credentials"


def test_threads_are_those_of_the_pod(model):
    found = servings.rendered(model, **ON_A_CLAIM, cpus=6.5)
    assert flags(container(found))["--tensorflow_session_parallelism"] == "6"
    assert (
        found["ConfigMap"]["data"]["batching_parameters.txt"] == "num_batch_threads { value: 6 }\n"
    )
    small = servings.rendered(model, **ON_A_CLAIM, cpus=0.5)
    assert flags(container(small))["--tensorflow_session_parallelism"] == "1"


def test_objects_find_each_other(model):
    found = servings.rendered(model, **ON_A_CLAIM, name="null", min_replicas=3, max_replicas=9)
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selector = found["Deployment"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    assert found["Service"]["spec"]["selector"] == selector
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
    scaled = found["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"] == "null"
    assert (scaled["minReplicas"], scaled["maxReplicas"]) == (3, 9)
    text = yaml_text.write(list(found.values()))
    assert list(yaml.safe_load_all(text)) == list(found.values())


@pytest.mark.parametrize("image", ["tensorflow/serving", "tensorflow/serving:latest"])
def test_an_image_that_may_change_is_refused(model, image):
    with pytest.raises(UserInputError, match=r"^image=.*tag other than latest"):
        servings.rendered(model, **ON_A_CLAIM, image=image)
    with pytest.raises(UserInputError, match=r"worker_image=.*tag other than latest"):
        servings.rendered(model, **{**IN_A_STORE, "worker_image": image})
