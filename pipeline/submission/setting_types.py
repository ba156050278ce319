"""Types of settings: names, images, paths and amounts as Docker and Kubernetes take them."""

import posixpath
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from features.errors import UserInputError
from pipeline.runtime import plain_text

_SOURCE = re.compile(r"/[^:]*|[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.DOTALL)
_TAKEN = ("", "tmp")


def _printable(text: str) -> str:
    """Checks text that becomes a word of a command line or a scalar of a manifest."""
    try:
        plain_text.check(text, "The text")
    except UserInputError as error:
        raise ValueError(str(error)) from error
    return text


def _no_flag(text: str) -> str:
    if not text or text.startswith("-"):
        raise ValueError("expected a name or path; Docker would read this as a flag or as nothing")
    return _printable(text)


def _matching(pattern: str, expected: str) -> AfterValidator:
    """Returns the check of a text's pattern."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {expected}")
        return text

    return AfterValidator(check)


def _source(text: str) -> str:
    if not _SOURCE.fullmatch(text):
        raise ValueError("expected a folder from the root on, or the name of a volume or claim")
    return _printable(text)


def _mount(text: str) -> str:
    path = posixpath.normpath(_printable(text))
    if not path.startswith("/") or ":" in path or path.strip("/") in _TAKEN:
        raise ValueError("expected a path from the root on, without a colon, that is not / or /tmp")
    return path


Text = Annotated[str, AfterValidator(_printable)]
FileOrName = Annotated[str, AfterValidator(_no_flag)]
MountSource = Annotated[str, AfterValidator(_source)]
MountPath = Annotated[str, AfterValidator(_mount)]

DnsLabel = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=52)]
"""A host name of at most 63 characters, minus the room for `-<task index>`."""

EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

_PREFIX = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
LabelName = Annotated[
    str, _matching(f"(?:{_PREFIX}/)?{_LABEL}", "the name of a label, such as example.com/pool")
]
LabelValue = Annotated[
    str, _matching(f"(?:{_LABEL})?", "the value of a label: letters, digits, '.', '_' and '-'")
]

Amount = Annotated[float, Field(ge=0.01, le=1_000_000)]
"""Of CPUs or GiB: what Docker and Kubernetes can count."""

_DOMAIN = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_DOMAIN}(?:\.{_DOMAIN})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
Image = Annotated[
    str,
    Field(max_length=400),
    _matching(
        # The reference grammar of Docker and the OCI distribution.
        rf"(?:{_HOST}/)?{_PATH}(?:/{_PATH})*"
        r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
        "an image as Docker names it, such as REGISTRY/dmf-worker:TAG or NAME@sha256:DIGEST",
    ),
]
