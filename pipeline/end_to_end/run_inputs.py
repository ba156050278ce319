"""The paths of a run's configuration, which its output must leave alone."""

from collections.abc import Iterator
from typing import Any

from pipeline.runtime import path_rules
from pipeline.runtime.path_rules import Place
from pipeline.training_runs.run_config import RunConfig

_TABLES = ("users", "histories", "label_logs")
"""Inputs of the join that a configuration may add to the run's own."""


def check(config: RunConfig, output: str) -> None:
    """Checks that a run's output meets none of its inputs, and that TensorFlow can read it.

    Raises:
      UserInputError: it does, or cannot.
    """
    path_rules.check_readable("--output", output, saved_model=True)
    path_rules.check([Place("--output", output)], list(_inputs(config)))


def _inputs(config: RunConfig) -> Iterator[Place]:
    if config.data.source is not None:
        yield Place("data.source", config.data.source)
    if config.drift.baseline is not None:
        yield Place("drift.baseline", config.drift.baseline)
    for name in _TABLES:
        yield from (Place(f"join.{name}", path) for path in _paths(config.join.get(name)))


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (path for one in value.values() for path in _paths(one))
    elif isinstance(value, (list, tuple)):
        yield from (path for one in value for path in _paths(one))
