"""Submissions that the tests share, and how Kubernetes reads a manifest's strings."""

import re

from pipeline.runtime import python_config
from pipeline.submission.settings import Settings
from pipeline.submission.submission import Submission

FLAGS = ("--examples=/data/examples", "--model_dir", "/data/model", "--set=model.heads=2")
HARD_FLAGS = ("--set=title=$(HOME) costs $$5 or $5, $", "--set=model.hidden=(8, 4) \"a\" 'b'")


def submission(job: str = "train", flags: tuple[str, ...] = FLAGS, **settings) -> Submission:
    values = {"image": "registry.example/team/dmf-worker:1.2.3", "volumes": ["ctr:/data"]}
    return Submission(job, flags, python_config.validate(Settings, {**values, **settings}, "test"))


def expanded(text: str, variables: dict[str, str]) -> str:
    """What a container gets: `$(NAME)` of a known variable is replaced, `$$` is a dollar."""

    def value(match: re.Match) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)", value, text)


def environment(container: dict, annotations: dict[str, str]) -> dict[str, str]:
    """A container's variables, each expanded with those above it."""
    found: dict[str, str] = {}
    for one in container["env"]:
        if "valueFrom" in one:
            path = one["valueFrom"]["fieldRef"]["fieldPath"]
            (key,) = re.fullmatch(r"metadata\.annotations\['(.*)'\]", path).groups()
            found[one["name"]] = annotations[key]
        else:
            found[one["name"]] = expanded(one["value"], found)
    return found
