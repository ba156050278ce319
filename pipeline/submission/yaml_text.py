"""Manifests as YAML that `kubectl` reads as they were, read again before they are used.

YAML has several versions, in which a plain `1e3`, `0o17`, `on` or `y` is a number, a boolean or
text. `kubectl` reads more of them as numbers than PyYAML does. So a text is plain only where it is
a word that begins with a letter and is no constant of any version; every other text is quoted.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from features.errors import UserInputError

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_CONSTANTS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


class _Quoted(yaml.SafeDumper):
    """Quotes every text that some reader could take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Repeated labels are written again: no anchors."""
        return True


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _WORD.fullmatch(text) and text.lower() not in _CONSTANTS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Quoted.add_representer(str, _represent)


class _AsKubectl(yaml.SafeLoader):
    """Reads plain scalars as go-yaml does: what PyYAML takes for text and go-yaml does not."""


_ONLY_GO = "!read-by-go-yaml"
_AsKubectl.add_implicit_resolver(
    _ONLY_GO,
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?0[oO][0-7_]+|[-+]?0[xX][0-9a-fA-F_]+|[-+]?0[bB][01_]+|[-+]?[0-9][0-9_]*|[yYnN])$"
    ),
    None,
)
_AsKubectl.add_constructor(_ONLY_GO, lambda loader, node: {_ONLY_GO: node.value})


def write(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Returns the YAML for `kubectl apply -f -`.

    Raises:
      UserInputError: what is read back is not what was written.
    """
    # Through JSON: nothing else is a manifest.
    wanted = [json.loads(json.dumps(one)) for one in manifests]
    text = yaml.dump_all(wanted, Dumper=_Quoted, sort_keys=False, width=10**6)
    try:
        read: Any = list(yaml.load_all(text, Loader=_AsKubectl))
    except (yaml.YAMLError, ValueError) as error:
        read = f"{error}"
    if json.dumps(read, default=repr) != json.dumps(wanted):
        raise UserInputError(
            "The manifests would not be read as they are meant, so they were not written. "
            f"Expected {wanted}, read {read}."
        )
    return text
