"""Flags and settings reach Kubernetes, Docker and a shell as they were given, or are refused."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from features.errors import UserInputError
from pipeline.runtime import python_config
from pipeline.submission import commands, manifests, yaml_text
from pipeline.submission.processes import Command
from pipeline.submission.serve_settings import ServeSettings
from pipeline.submission.settings import Settings
from tests.pipeline.hostile_text import HIDDEN, TEXTS, drawn
from tests.pipeline.submission import servings
from tests.pipeline.submission.submissions import environment, expanded, submission

DIGEST = "@sha256:" + "0" * 64


def container(job: dict) -> dict:
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return found


def everywhere(texts: list[str]) -> list[dict]:
    """Manifests in which each text is a flag and the value of a variable."""
    flags = ("--examples=/data/e", *texts, *(f"--set={text}" for text in texts))
    values = {f"V{index}": text for index, text in enumerate(texts)}
    selected = {"on": "1e3", "0x1f": "y", "1_000": "null", "example.com/a": "2026-05-01"}
    return manifests.render(
        submission(flags=flags, environment=values, node_selector=selected, name="null", workers=2)
    )


def by_kubectl(text: str) -> list[dict]:
    """Reads manifests with kubectl, without a cluster."""
    command = ["kubectl", "label", "--local", "-f", "-", "read=it", "-o", "json"]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    decoder, rest, found = json.JSONDecoder(), run.stdout.strip(), []
    while rest:
        one, end = decoder.raw_decode(rest)
        found.append(one)
        rest = rest[end:].strip()
    return found


def servers(folder: Path, texts: list[str]) -> list[dict]:
    """Manifests of servers in which each text is the value of a variable."""
    values = {f"V{index}": text for index, text in enumerate(texts)}
    selected = {"on": "1e3", "0x1f": "y", "1_000": "null", "example.com/a": "2026-05-01"}
    named = {"environment": values, "node_selector": selected, "name": "null", "namespace": "y"}
    store = {**servings.IN_A_STORE, **named, "model_uri": "s3://b/$(HOME)/1e3: #~"}
    return list(servings.rendered(servings.model(folder, "1e3"), **store).values())


def same_texts(read: list[dict], rendered: list[dict]) -> None:
    for one, meant in zip(read, rendered, strict=True):
        labels = {**meant["metadata"]["labels"], "read": "it"}
        assert one["metadata"].items() >= {**meant["metadata"], "labels": labels}.items()
    pod, wanted = (one[-1]["spec"]["template"]["spec"] for one in (read, rendered))
    assert pod["nodeSelector"] == wanted["nodeSelector"]
    assert container(read[-1])["args"] == container(rendered[-1])["args"]
    values = [{"value": "", **one} for one in container(read[-1])["env"] if "valueFrom" not in one]
    assert values == [one for one in container(rendered[-1])["env"] if "valueFrom" not in one]
    assert pod["volumes"] == wanted["volumes"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
def test_kubectl_reads_every_text_as_it_was_given():
    rendered = everywhere([*TEXTS, *drawn(2000)])
    same_texts(by_kubectl(yaml_text.write(rendered)), rendered)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
def test_kubectl_reads_the_manifests_of_servers_as_they_were_given(tmp_path):
    rendered = servers(tmp_path, [*TEXTS, *drawn(300, seed=3)])
    read = by_kubectl(yaml_text.write(rendered))
    for one, meant in zip(read, rendered, strict=True):
        labels = {**meant["metadata"]["labels"], "read": "it"}
        assert one["metadata"].items() >= {**meant["metadata"], "labels": labels}.items()
        assert one.get("data") == meant.get("data")
        assert one.get("spec", {}).get("selector") == meant.get("spec", {}).get("selector")
    pods = [one[3]["spec"]["template"]["spec"] for one in (read, rendered)]
    assert pods[0]["nodeSelector"] == pods[1]["nodeSelector"]
    assert pods[0]["volumes"] == pods[1]["volumes"]
    for kind in ("initContainers", "containers"):
        (one,), (meant,) = (pod[kind] for pod in pods)
        assert one["args"] == meant["args"]
        assert [{"value": "", **pair} for pair in one["env"]] == meant["env"]
        assert one.get("startupProbe") == meant.get("startupProbe")


def test_kubernetes_gives_servers_every_text_as_it_was_given(tmp_path):
    texts = [*TEXTS, *drawn(300, seed=4)]
    (deployment,) = [one for one in servers(tmp_path, texts) if one["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    for one in (*pod["initContainers"], *pod["containers"]):
        given = environment(one, {})
        assert [given[f"V{number}"] for number in range(len(texts))] == texts
    (fetch,) = pod["initContainers"]
    assert expanded(fetch["args"][5], given) == "--source=s3://b/$(HOME)/1e3: #~"


def test_yaml_has_no_scalar_that_is_text_here_and_a_number_there(tmp_path):
    texts = [*TEXTS, *drawn(300, seed=1)]
    text = yaml_text.write([*everywhere(texts), *servers(tmp_path, texts)])
    plain = [
        token.value
        for token in yaml.scan(text)
        if isinstance(token, yaml.ScalarToken) and token.plain and not token.value.isdigit()
    ]
    assert {one for one in plain if not one[0].isalpha()} == set()
    assert {one.lower() for one in plain} & {"on", "off", "yes", "no", "y", "n", "null"} == set()
    assert "kind: Job" in text, "words stay as they are"


@pytest.mark.parametrize(
    "text", ["1e3", "1e-3", "1_000", "0o17", "y", "12:30:00", "~", "=", "2026-05-01", "0x1f", "a "]
)
def test_what_would_be_read_as_something_else_is_not_written(monkeypatch, text):
    monkeypatch.setattr(yaml, "dump_all", lambda *_, **__: f"kind: {text}\n")
    with pytest.raises(UserInputError, match="not be read as they are meant"):
        yaml_text.write([{"kind": text}])


@pytest.mark.parametrize("text", HIDDEN)
def test_hidden_characters_are_refused_with_their_flag_named(text):
    with pytest.raises(UserInputError, match=r"The value of --model_dir .*has the character"):
        submission(flags=("--examples=/d", "--model_dir", text))
    for setting in ("environment", "secrets", "volumes"):
        value = {"environment": {"A": text}, "secrets": [text], "volumes": [f"/a{text}:/data"]}
        with pytest.raises(UserInputError, match=rf"{setting}.*has the character"):
            submission(**{setting: value[setting]})


@pytest.mark.parametrize(
    "image",
    [
        *("--privileged", "-v/:/host", "", " a", "a b", "a\n", "a/B", "a//b", "/a", "a:", "a:-b"),
        *("a@sha256:0", f"a{DIGEST}0", "a@md5:" + "0" * 32, "a:b:c", "http://a/b", "a;id", "é"),
    ],
)
def test_what_is_no_image_is_refused_by_name(image):
    with pytest.raises(UserInputError, match="image: "):
        submission(image=image)


@pytest.mark.parametrize(
    "image",
    ["dmf-worker", "host:5000/a/b-c_d.e:1.2.3", f"[::1]:5000/a{DIGEST}", f"gcr.io/a/b:v1{DIGEST}"],
)
def test_images_of_the_reference_grammar_are_taken(image):
    assert submission(image=image).settings.image == image


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("name", ["-a", "a\n", "a b", "--privileged"]),
        ("namespace", ["-n", "a/b", "a\nb"]),
        ("service_account", ["-a", "a:b"]),
        ("secrets", [["--privileged"], ["-"], [""]]),
        ("volumes", [["-v:/data"], ["a b:/data"], ["../x:/data"], ["a:/data:rw"], ["a:/tmp"]]),
        ("volumes", [["a:/"], ["a://"], [{"source": "-a", "mount": "/b"}]]),
        ("volumes", [[{"source": "a", "mount": "/b:rw"}], [{"source": "/a:b", "mount": "/b"}]]),
        ("environment", [{"-e": "a"}, {"A\n": "b"}, {"A=B": "c"}, {"": "a"}, {"A": 1}]),
        ("node_selector", [{"-a": "b"}, {"a b": "c"}, {"a": "-b"}, {"a": "b\n"}, {"a": "x" * 64}]),
        ("cpus", [float("inf"), float("nan"), 1e300, -1, 0, "--privileged"]),
        ("memory_gib", [float("inf"), 1e-9, "8g"]),
        ("workers", [10**12, -1, "2 --privileged"]),
        ("kubernetes_version", ["1.31\n", "1.٣١", "-1.31"]),
    ],
)
def test_settings_that_are_no_names_or_amounts_are_refused_by_name(setting, values):
    for value in values:
        with pytest.raises(UserInputError, match=f"{setting}[.: ]"):
            python_config.validate(Settings, {setting: value}, "test")
        if setting != "workers":
            with pytest.raises(UserInputError, match=f"{setting}[.: ]"):
                given = {"export_dir": "serving/dmf", setting: value}
                python_config.validate(ServeSettings, given, "test")


def test_names_of_claims_and_secrets_are_those_of_kubernetes():
    for settings in ({"volumes": ["My_Data:/data"]}, {"secrets": ["/etc/env"]}):
        with pytest.raises(UserInputError, match="no name of Kubernetes"):
            manifests.render(submission(**settings))
        commands.docker(submission(**settings))


@pytest.mark.skipif(shutil.which("docker") is None, reason="no Docker client")
def test_docker_takes_the_image_and_what_follows_for_no_option():
    texts = [text for text in TEXTS if text]
    (command,) = commands.docker(submission(flags=("--privileged", *texts)))
    words = list(command.words)
    elsewhere = {**os.environ, "DOCKER_HOST": "unix:///nonexistent.sock"}

    def run(image: str) -> str:
        given = [image if word == words[words.index("--") + 1] else word for word in words]
        done = subprocess.run(given, env=elsewhere, capture_output=True, text=True, check=False)
        return done.stderr

    assert "nonexistent.sock" in run(words[words.index("--") + 1])
    assert "invalid reference" in run("--privileged"), "an image even so"


@pytest.mark.parametrize("seed", range(5))
def test_a_shell_reads_a_printed_command_as_its_words(seed):
    texts = [*TEXTS, *drawn(200, seed)]
    values = {f"V{index}": text for index, text in enumerate(texts)}
    script = str(Command(["printf", "%s\\0", *texts], values))
    run = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert run.stdout.decode().split("\0")[:-1] == texts
    assert shlex.split(script)[: len(texts)] == [f"{name}={one}" for name, one in values.items()]


def test_kubernetes_gives_the_container_every_text_as_it_was_given():
    texts = [*TEXTS, *drawn(300, seed=2)]
    job = everywhere(texts)[-1]
    index = {"batch.kubernetes.io/job-completion-index": "0"}
    given = environment(container(job), index)
    assert [given[f"V{number}"] for number in range(len(texts))] == texts
    words = [expanded(word, given) for word in container(job)["args"]]
    assert words[4 : 4 + len(texts)] == texts
