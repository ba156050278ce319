"""The steps of the cycle, in order, and the settings that each depends on."""

import dataclasses
from typing import Any

from pipeline.daily_cycle import data_steps, lineage, model_steps, serving_steps
from pipeline.daily_cycle.config import CycleConfig
from pipeline.daily_cycle.cycle import Step

NAMES = (
    *("inspect_log", "join", "inspect_examples", "check_champion", "train", "export"),
    *("gate", "caches", "load", "promote", "prune"),
)


def all_steps() -> tuple[Step, ...]:
    """Returns the steps, in the order of `NAMES`."""
    steps = (
        Step("inspect_log", data_steps.inspect_log, _data, data_steps.withdraw),
        Step("join", data_steps.join, _data, data_steps.withdraw),
        Step("inspect_examples", data_steps.inspect_examples, _data, data_steps.withdraw),
        Step("check_champion", model_steps.check_champion, _of("champion"), data_steps.withdraw),
        Step("train", model_steps.train, _of("model", "training", "update")),
        Step("export", model_steps.export, _of("name", "export", "request_log")),
        Step("gate", model_steps.gate, _of("gate")),
        Step("caches", serving_steps.fill_caches, _of("caches")),
        Step("load", serving_steps.load, _of("caches")),
        Step("promote", serving_steps.promote, _of("promotion")),
        Step("prune", serving_steps.prune, _of("keep")),
    )
    return tuple(map(lineage.traced, steps))


def _of(*names: str) -> Any:
    """Returns a function from a configuration to some of its fields, as JSON values."""

    def settings(config: CycleConfig) -> dict[str, Any]:
        values = dataclasses.asdict(config)
        return {name: values[name] for name in names}

    return settings


_data = _of("events", "label_logs", "embeddings", "items", "join")
