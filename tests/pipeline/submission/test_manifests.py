"""Manifests are Kubernetes' own, and say what the job's exit codes and workers need."""

import copy

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from features.errors import UserInputError
from pipeline.submission import commands, jobs, manifests, yaml_text
from tests.pipeline.submission.submissions import (
    FLAGS,
    HARD_FLAGS,
    environment,
    expanded,
    submission,
)

EVERYTHING = {
    "workers": 3,
    "volumes": ["ctr:/data", "/srv/log:/log:ro"],
    "secrets": ["s3"],
    "environment": {"AWS_REGION": "eu-west-1"},
    "service_account": "trainer",
    "node_selector": {"pool": "cpu"},
    "deadline_seconds": 3600,
}
VERSIONS = [
    version
    for version in sorted(set(map(utils.major_minor, utils.all_versions())))
    if int(version.split(".")[1]) >= 31
]


def only_job(**settings) -> dict:
    (job,) = manifests.render(submission(**settings))
    return job


def container(job: dict) -> dict:
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(version):
    assert len(VERSIONS) >= 7
    for settings in ({}, EVERYTHING):
        manifests.validate(manifests.render(submission(**settings)), version)


@pytest.mark.parametrize("job", jobs.names())
def test_every_job_has_a_valid_manifest(job):
    rendered = manifests.render(submission(job, ("--output=/data/x",)))
    manifests.validate(rendered, "1.31")
    assert container(rendered[0])["args"] == ["python", "-m", f"pipeline.{job}", "--output=/data/x"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "backofLimit"), 3),
        (("spec", "completions"), "3"),
        (("spec", "template", "spec", "terminationGracePeriod"), 3),
        (("spec", "podFailurePolicy", "rules", 0, "onExitCode"), {}),
    ],
)
def test_a_field_that_kubernetes_does_not_know_is_named(path, value):
    job = copy.deepcopy(only_job())
    *parents, last = path
    target = job
    for key in parents:
        target = target[key]
    target[last] = value
    with pytest.raises(UserInputError, match=r"Job\.spec.* is not valid in Kubernetes 1\.31") as e:
        manifests.validate([job], "1.31")
    assert last in str(e.value)


def test_version_without_schemas_is_reported():
    with pytest.raises(UserInputError, match=r"1\.99.*schemas here are of"):
        manifests.validate([only_job()], "1.99")


def test_yaml_is_what_was_validated():
    rendered = manifests.render(submission(**EVERYTHING))
    text = yaml_text.write(rendered)
    assert list(yaml.safe_load_all(text)) == rendered
    assert "&id" not in text
    for one in yaml.safe_load_all(text):
        kubernetes_validate.validate(one, "1.31", strict=True)


def outcome(job: dict, code: int, disrupted: bool = False) -> str:
    """What Kubernetes does after a pod ended so: the first rule that matches, else Count."""
    for rule in job["spec"]["podFailurePolicy"]["rules"]:
        if on := rule.get("onExitCodes"):
            assert on["containerName"] == container(job)["name"]
            if code in on["values"] and on["operator"] == "In":
                return rule["action"]
        elif (
            disrupted and {"type": "DisruptionTarget", "status": "True"} in rule["onPodConditions"]
        ):
            return rule["action"]
    return "Count"


def test_exit_codes_decide_what_is_retried():
    job = only_job(retries=5, grace_seconds=90)
    assert outcome(job, 75) == "Ignore"
    assert outcome(job, 2) == "FailJob"
    assert outcome(job, 2, disrupted=True) == "FailJob"
    assert outcome(job, 1) == "Count"
    assert outcome(job, 137) == "Count"
    assert outcome(job, 137, disrupted=True) == "Ignore"
    assert job["spec"]["backoffLimit"] == 5
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "a podFailurePolicy allows nothing else"
    assert pod["terminationGracePeriodSeconds"] == 90


def test_workers_find_each_other_by_names_that_do_not_change(monkeypatch):
    import tensorflow as tf

    service, job = manifests.render(submission(workers=3, port=4000))
    pod = job["spec"]["template"]["spec"]
    name = job["metadata"]["name"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 3
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
    # The name of a pod's host in Kubernetes: of the Job, its index and the pod's subdomain.
    hosts = [f"{name}-{index}.{pod['subdomain']}:4000" for index in range(3)]
    assert pod["subdomain"] == service["metadata"]["name"]
    for index in range(3):
        annotations = {"batch.kubernetes.io/job-completion-index": str(index)}
        variables = environment(container(job), annotations)
        monkeypatch.setenv("TF_CONFIG", variables["TF_CONFIG"])
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        assert resolver.cluster_spec().as_dict() == {"worker": hosts}
        assert (resolver.task_type, resolver.task_id) == ("worker", index)


@pytest.mark.parametrize("target", [commands.local, commands.docker])
def test_every_target_gives_each_worker_its_own_address(monkeypatch, target):
    import tensorflow as tf

    addresses = []
    for command in target(submission(workers=3)):
        given = dict(word.split("=", 1) for word in command.words if word.startswith("TF_CONFIG="))
        monkeypatch.setenv("TF_CONFIG", {**command.environment, **given}["TF_CONFIG"])
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        addresses.append(resolver.cluster_spec().task_address("worker", resolver.task_id))
        assert resolver.cluster_spec().num_tasks("worker") == 3
    assert len(set(addresses)) == 3


def test_one_worker_has_no_cluster():
    assert "TF_CONFIG" not in environment(container(only_job()), {})
    assert all("TF_CONFIG" not in str(one) for one in commands.docker(submission()))
    assert commands.local(submission())[0].environment == {}


def test_container_gets_flags_and_variables_as_given():
    variables = {"PRICE": "$(PATH) $$5"}
    found = container(only_job(flags=HARD_FLAGS, environment=variables))
    given = environment(found, {})
    assert [expanded(word, given) for word in found["args"][3:]] == list(HARD_FLAGS)
    assert given["PRICE"] == variables["PRICE"]


def test_pod_keeps_the_restricted_security_standard():
    pod = only_job()["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    security = container(only_job())["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    kinds = {key for volume in pod["volumes"] for key in volume} - {"name"}
    assert kinds == {"emptyDir", "persistentVolumeClaim"}


@pytest.mark.parametrize("image", ["dmf-worker", "dmf-worker:latest", "host:5000/dmf-worker"])
def test_an_image_that_may_change_is_refused(image):
    with pytest.raises(UserInputError, match="tag other than latest"):
        manifests.render(submission(image=image))
    digest = f"{image}@sha256:{'0' * 64}"
    assert container(only_job(image=digest))["image"] == digest


def test_docker_runs_what_kubernetes_runs():
    settings = {**EVERYTHING, "workers": 1, "cpus": 1.5, "memory_gib": 3}
    (command,) = commands.docker(submission(**settings))
    found = container(only_job(**settings))
    words = list(command.words)
    image = words.index(found["image"])
    assert words[image - 1] == "--"
    assert words[image + 1 :] == found["args"] == ["python", "-m", "pipeline.train", *FLAGS]
    options = words[: image - 1]
    given = {options[i + 1] for i, word in enumerate(options) if word == "--env"}
    assert given == {"=".join(item) for item in environment(found, {}).items()}
    assert options[options.index("--cpus") + 1] == "1.5"
    assert found["resources"]["limits"] == {"cpu": "1500m", "memory": "3072Mi"}
    assert options[options.index("--memory") + 1] == "3072m"
    assert "/srv/log:/log:ro" in options and "ctr:/data" in options
