"""Tables of settings follow the classes."""

import dataclasses
import importlib
from typing import Literal

import pytest
from pydantic.dataclasses import dataclass

from docs_build import registry
from docs_build.tables import settings


@pytest.mark.parametrize("name", settings.CLASSES)
def test_table_has_every_setting(name):
    module, kind, prefix = settings.CLASSES[name]
    fields = dataclasses.fields(getattr(importlib.import_module(module), kind))
    rows = registry.render(f"settings.{name}", True).split("\n\n")[0].splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [f"| `{prefix}{one.name}`" for one in fields]


def test_a_row_and_its_note():
    text = registry.render("settings.ModelConfig", True)
    assert "| `model.attention_length` | `64` | integer from 0 | number of newest behaviors" in text
    assert "- `model.attention_length`: Tiers, similarity scores" in text


@dataclass
class Planted:
    """Settings.

    Attributes:
      size: how many <things>; many are slow.
      kind: of thing.
    """

    size: int = 1
    kind: Literal["a", "b"] = "a"


def test_a_planted_class():
    assert settings.render(Planted, "x.").splitlines()[2:] == [
        "| `x.size` | `1` | integer | how many &lt;things>; many are slow |",
        "| `x.kind` | `a` | `a`, `b` | of thing |",
    ]


@dataclass
class WithoutMeaning:
    """Settings."""

    size: int = 1


@dataclass
class LongMeaning:
    """Settings.

    Attributes:
      size: this text has no end and needs no end and shows that what does not fit into a cell of
        a table is refused with the name of its class.
    """

    size: int = 1


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (WithoutMeaning, r"WithoutMeaning.size: missing under `Attributes:`"),
        (LongMeaning, r"LongMeaning.size: more than 20 words before a full stop"),
    ],
)
def test_a_meaning_that_fits_is_needed(kind, message):
    with pytest.raises(ValueError, match=message):
        settings.render(kind, "")
