"""Runs the daily cycle on a market that drifts, and scores each next day; half an hour.

Usual commands:

    python -m benchmarks.daily_cycle --work build/daily --output build/daily.json
    python -m benchmarks.daily_cycle --work build/small --events 60000 --days 3

Each day of a simulated log (`pipeline.simulate`) goes through `pipeline.cycle`. The day after,
which none has seen, is scored by the model that the cycle has promoted; by that of the first day,
never updated; and by one that is trained from scratch on all days so far. The items' qualities
turn from day to day. `processor_seconds` are of the whole cycle, gate and export too, but of the
training alone from scratch.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags, logging

from benchmarks.measuring import market_days, result_file
from features.errors import UserInputError
from models import trained_model
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
_FIGURES = ("auc", "gauc", "ne", "calibration")
NEVER, CYCLE, SCRATCH = "never updated", "cycle", "from scratch"
_JOIN = {
    "timestamp_unit": "ms",
    "splits": "train:..2100-01-01,test:2100-01-01..",
    "statistics": ["click"],
    "partitions": 8,
}


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_integer("events", 320_000, "`COUNT` Impressions.")
        flags.DEFINE_integer("users", 4_000, "`COUNT` Users.")
        flags.DEFINE_integer("items", 2_000, "`COUNT` Items.")
        flags.DEFINE_integer(
            "days", 8, "`DAYS` Simulated time; the last day is only scored.", lower_bound=3
        )
        flags.DEFINE_float("turn", 10.0, "`DEGREES` By which items' qualities turn per day.")
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
    drift = {"cold_fraction": 0.05, "quality_turn": _FLAGS.turn}
    settings = {**sizes, **drift, "modalities": {"text": 32}}
    simulate(_folder("market"), MarketplaceSettings.from_dict(settings))
    days = market_days.write(_folder("market"), _folder("log"))
    models: dict[str, str] = {}
    scored, spent = [], []
    for day in days:
        join = {**_JOIN, "events": _folder("log", day), "part": day, "output": _folder("examples")}
        join["embeddings"] = {"text": _folder("market", "embeddings", "text")}
        build_examples(JoinOptions.from_dict(join))
        examples = ExampleSet.open(_folder("examples"))
        if models:
            following = open_part(examples, day)
            figures = {way: _scored(folder, following) for way, folder in models.items()}
            scored.append({"day": day, **figures})
        if day == days[-1]:
            break
        seconds = {CYCLE: _run_cycle(day)}
        if os.path.isfile(_folder("production", "cycle", day, "promote.json")):
            models[CYCLE] = _folder("production", "models", day)
        models.setdefault(NEVER, models[CYCLE])
        models[SCRATCH] = _folder("scratch", day)
        began = time.process_time()
        fit.train(hold_out_shard(examples, day), ModelConfig(), TrainingConfig(), models[SCRATCH])
        seconds[SCRATCH] = round(time.process_time() - began, 1)
        spent.append({"day": day, "promoted": models[CYCLE].endswith(day), **seconds})
        logging.info("%s", spent[-1])
    result = {"settings": settings, "scored": scored, "processor_seconds": spent}
    result["results"] = {way: _summary(way, scored, spent) for way in (NEVER, CYCLE, SCRATCH)}
    result_file.write(_FLAGS.output, "benchmarks.daily_cycle", result)


def _folder(*names: str) -> str:
    return os.path.abspath(os.path.join(_FLAGS.work, *names))


def _run_cycle(day: str) -> float:
    """Takes a day through the cycle, or leaves it out where it stops; returns processor seconds."""
    configuration = {
        "work": _folder("production"),
        "events": _folder("log", "{part}"),
        "embeddings": {"text": _folder("market", "embeddings", "text")},
        "join": _JOIN,
        "update": {"epochs": 1},
        "caches": {"items": _folder("market", "items")},
    }
    path = _folder("cycle.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(configuration, file, indent=2)
    command = [sys.executable, "-m", "pipeline.cycle", f"--config={path}", f"--part={day}"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        if done.returncode != 2:
            raise UserInputError(f"The cycle ended with {done.returncode}: {reason}")
        logging.warning("%s is left out: %s", day, reason)
        subprocess.run([*command, f"--skip={reason}"], check=True)
    return round(sum(after[:2]) - sum(before[:2]), 1)  # Of the user and of the system.


def _scored(folder: str, following: ExampleSet) -> dict[str, Any]:
    scored = scoring.score(trained_model.read_trained_model(folder), following, "train")
    found = metrics.summarize(scored.label, scored.probability, scored.user_id)
    logging.info("%s: AUC %.4f", folder, found["auc"])
    return {name: found[name] for name in _FIGURES}


def _summary(
    way: str, scored: Sequence[Mapping[str, Any]], spent: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Returns the mean of each figure over the scored days, and what was spent before them."""
    means = {name: statistics.fmean(row[way][name] for row in scored) for name in _FIGURES}
    counted = spent[:1] if way == NEVER else spent
    seconds = sum(row[CYCLE if way == NEVER else way] for row in counted)
    return {**means, "processor_seconds": seconds}


if __name__ == "__main__":
    main()
