"""Trains day by day and from scratch, and scores the next day; five minutes.

Usual commands:

    python -m benchmarks.daily_training --work build/daily --output build/daily.json
    python -m benchmarks.daily_training --work build/small --events 60000 --days 3

A simulated marketplace (`pipeline.simulate`) is joined day by day as parts. Before the last day
is joined, three models are trained on the days before it: from scratch on the latest of them
alone; on all of them at once; and day by day, each from the model of the day before on its own
records. All are scored on the last day, which none has seen. `candidates` counts what training
read; for `day by day` it is of the latest day alone, the cost of each day.
"""

import os
from collections.abc import Sequence
from typing import Any

from absl import flags, logging

from benchmarks.measuring import market_days, result_file
from models.evaluation import metrics, scoring
from models.inputs.example_part import hold_out_shard, open_part
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training import fit
from models.training.config import TrainingConfig
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group
from pipeline.simulation.settings import MarketplaceSettings
from pipeline.simulation.simulation import simulate

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_integer("events", 300_000, "`COUNT` Impressions.")
        flags.DEFINE_integer("users", 3_000, "`COUNT` Users.")
        flags.DEFINE_integer("items", 3_000, "`COUNT` Items.")
        flags.DEFINE_integer(
            "days", 6, "`DAYS` Simulated time; the last day is scored.", lower_bound=3
        )
    with flag_group("Output"):
        flags.DEFINE_string("work", None, "`FOLDER` Logs, examples and models.", required=True)
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    sizes = {name: _FLAGS[name].value for name in ("events", "users", "items", "days")}
    settings = {**sizes, "modalities": {"text": 32}}
    log = os.path.join(_FLAGS.work, "log")
    simulate(log, MarketplaceSettings.from_dict(settings))
    days = market_days.write(log, os.path.join(_FLAGS.work, "days"))
    for day in days[:-1]:
        _join(log, day)
    before = ExampleSet.open(os.path.join(_FLAGS.work, "examples"))
    latest = days[-2]
    ways = {
        "latest day": _train("latest", open_part(before, latest), None),
        "all days": _train("all", hold_out_shard(before, latest), None),
    }
    start = None
    for day in days[:-1]:
        ways["day by day"] = _train(day, open_part(before, day), start)
        start = os.path.join(_FLAGS.work, "models", day)
    _join(log, days[-1])
    following = open_part(ExampleSet.open(os.path.join(_FLAGS.work, "examples")), days[-1])
    results = {name: _scored(following, *way) for name, way in ways.items()}
    result_file.write(_FLAGS.output, "benchmarks.daily_training", {"results": results})


def _join(log: str, day: str) -> None:
    options = {
        "part": day,
        "events": os.path.join(_FLAGS.work, "days", day),
        "output": os.path.join(_FLAGS.work, "examples"),
        "embeddings": {"text": os.path.join(log, "embeddings", "text")},
        "timestamp_unit": "ms",
        "splits": "train:..2100-01-01",
        "partitions": 8,
    }
    build_examples(JoinOptions.from_dict(options))


def _train(name: str, examples: ExampleSet, start: str | None) -> tuple[Any, int]:
    """Returns the model, and the candidates that its training read."""
    folder = os.path.join(_FLAGS.work, "models", name)
    # As much work for each day's candidates in both ways: one pass, whatever validation says.
    one_pass = TrainingConfig(epochs=1, learning_rate_decay="linear", averaging=0.0, patience=0)
    model, _ = fit.train(examples, ModelConfig(), one_pass, folder, start=start)
    counts = examples.candidates_per_record("train")
    return model, sum(candidates * records for candidates, records in counts.items())


def _scored(following: ExampleSet, model: Any, candidates: int) -> dict[str, float | None]:
    scored = scoring.score(model, following, "train")
    found = {
        "auc": metrics.auc(scored.label, scored.probability),
        "logloss": metrics.log_loss(scored.label, scored.probability),
        "candidates": candidates,
    }
    logging.info("AUC %.4f  log loss %.4f  %d candidates", *found.values())
    return found


if __name__ == "__main__":
    main()
