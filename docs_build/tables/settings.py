"""Tables of settings, from the fields, types and docstrings of the configuration's dataclasses."""

import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import griffe
from pydantic import TypeAdapter
from pydantic_core import PydanticUndefined

from docs_build.tables.table import MOST_WORDS, Table, escape, markdown, note, words

_RUN = "pipeline.training_runs.run_config"
_CHECKS = "pipeline.statistics.options"
_CYCLE = "pipeline.daily_cycle.config"

# The table's name -> module, class, what stands before a setting's name on the command line.
CLASSES = {
    "ModelConfig": ("models.model_config", "ModelConfig", "model."),
    "TrainingConfig": ("models.training.config", "TrainingConfig", "training."),
    "TableOptimizer": (
        "models.training.config",
        "TableOptimizer",
        "training.table_optimizers.NAME.",
    ),
    "RunConfig": (_RUN, "RunConfig", ""),
    "DataConfig": (_RUN, "DataConfig", "data."),
    "ExportConfig": (_RUN, "ExportConfig", "export."),
    "ServingConfig": (_RUN, "ServingConfig", "serving."),
    "CheckLimits": (_CHECKS, "CheckLimits", "checks."),
    "GateLimits": ("pipeline.version_gate.options", "GateLimits", ""),
    "DriftConfig": (_CHECKS, "DriftConfig", "drift."),
    "DriftThresholds": (_CHECKS, "DriftThresholds", "drift.thresholds."),
    "JoinOptions": ("pipeline.join.options", "JoinOptions", "--"),
    "MarketplaceSettings": ("pipeline.simulation.settings", "MarketplaceSettings", "--"),
    "SubmissionSettings": ("pipeline.submission.settings", "Settings", ""),
    "ServeSettings": ("pipeline.submission.serve_settings", "ServeSettings", ""),
    "CycleConfig": (_CYCLE, "CycleConfig", ""),
    "ChampionLimits": ("pipeline.daily_cycle.champion_limits", "ChampionLimits", "champion."),
    "CachesConfig": (_CYCLE, "CachesConfig", "caches."),
    "PromotionConfig": (_CYCLE, "PromotionConfig", "promotion."),
    "KeepConfig": (_CYCLE, "KeepConfig", "keep."),
    "Volume": ("pipeline.submission.settings", "Volume", ""),
}

_SENTENCE = re.compile(r"(?<=[a-z0-9`)\]])\.\s+(?=[A-Z`0-9])")
_CLAUSE = re.compile(r"[;:]\s+")
_TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "True, False"}


def meanings(kind: type) -> dict[str, str]:
    """Returns the text of each attribute in the docstrings of a class and of those it extends."""
    docstrings = [griffe.Docstring(one.__doc__ or "", lineno=1) for one in reversed(kind.mro())]
    return {
        attribute.name: " ".join(attribute.description.split())
        for docstring in docstrings
        for section in griffe.parse_google(docstring, warnings=False)
        if isinstance(section, griffe.DocstringSectionAttributes)
        for attribute in section.value
    }


def split_meaning(text: str) -> tuple[str, str]:
    """Returns what a cell can hold of a text, a sentence or a clause, and the rest.

    >>> split_meaning("rows of the table. More rows cost memory.")
    ('rows of the table', 'More rows cost memory.')

    Raises:
      ValueError: the first clause has more words than a cell may have.
    """
    for pattern in (_SENTENCE, _CLAUSE):
        first, *rest = pattern.split(text, maxsplit=1)
        if words(first) <= MOST_WORDS:
            return first.rstrip("."), "".join(rest)
    raise ValueError(f"more than {MOST_WORDS} words before a full stop: {text!r}")


def takes(schema: Mapping[str, Any]) -> str:
    """Returns which values a field's JSON schema allows.

    >>> takes({"type": "integer", "exclusiveMinimum": 0}), takes({"enum": ["a", "b"]})
    ('integer from 1', '`a`, `b`')
    """
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(takes(one) for one in schema["anyOf"])
    kind = schema.get("type")
    if kind == "null":
        return "`None`"
    if kind == "array":
        return f"list, each {takes(schema['items'])}" if "items" in schema else "list"
    if kind == "object" or "$ref" in schema:
        return schema.get("$ref", "mapping").rpartition("/")[2]
    return " ".join([_TYPES.get(kind or "", "any value"), *_bounds(schema, kind == "integer")])


def _bounds(schema: Mapping[str, Any], whole: bool) -> Iterator[str]:
    if "minimum" in schema:
        yield f"from {schema['minimum']:g}"
    if "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"]
        yield f"from {least + 1:g}" if whole else f"above {least:g}"
    if "maximum" in schema:
        yield f"to {schema['maximum']:,}"
    if "exclusiveMaximum" in schema:
        yield f"below {schema['exclusiveMaximum']:,}"


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if hasattr(value, "__pydantic_fields__"):
        return "its own"
    if isinstance(value, (dict, tuple)) and not value:
        return "none"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def render(kind: type, prefix: str) -> str:
    """Returns the table of a dataclass's settings, and below it what a cell cannot hold.

    Raises:
      ValueError: a setting has no meaning in the class's docstring, or a long one.
    """
    texts = meanings(kind)
    schema = TypeAdapter(kind).json_schema()["properties"]
    rows, notes = [], []
    fields: Mapping[str, Any] = vars(kind)["__pydantic_fields__"]
    for name, field in fields.items():
        try:
            meaning, rest = split_meaning(texts[name])
        except (KeyError, ValueError) as error:
            problem = error if isinstance(error, ValueError) else "missing under `Attributes:`"
            raise ValueError(f"{kind.__module__}.{kind.__name__}.{name}: {problem}") from None
        rows.append((f"`{prefix}{name}`", _default(field), takes(schema[name]), escape(meaning)))
        if rest:
            notes.append(note(f"{prefix}{name}", rest))
    table = markdown(("setting", "default", "takes", "meaning"), rows)
    return "\n".join([table, "", *notes]) if notes else table


def _of_class(module: str, name: str, prefix: str) -> str:
    return render(getattr(importlib.import_module(module), name), prefix)


TABLES: dict[str, Table] = {
    f"settings.{name}": functools.partial(_of_class, *where) for name, where in CLASSES.items()
}
