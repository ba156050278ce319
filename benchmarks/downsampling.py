"""Trains on all negatives and on a share of them, and compares probabilities; ten minutes.

Usual commands:

    python -m benchmarks.downsampling --work build/sampled --output build/downsampling.json
    python -m benchmarks.downsampling --work build/small --events 100000 --seeds 2

A simulated marketplace (`pipeline.simulate`) is joined twice, whole and with
`--downsample_negatives click=SHARE`. The test splits are the same, and whole. Models that differ
in their seed alone are trained on both. Those on the sample read it several times, in fewer steps
than one pass over all takes. `calibration` is predicted over observed clicks of the test split,
`uncorrected` what it would be without the logarithm of the share; `ne` is the normalized entropy.
The spread over the seeds is the noise that a difference has to exceed.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import flags, logging
from scipy import special

from benchmarks.measuring import result_file
from models.evaluation import metrics, scoring
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
_FIGURES = ("calibration", "ne", "auc", "uncorrected")


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_integer("events", 1_000_000, "`COUNT` Impressions.")
        flags.DEFINE_integer("users", 1_000, "`COUNT` Users.")
        flags.DEFINE_integer("items", 300, "`COUNT` Items.")
        flags.DEFINE_float("share", 0.1, "`SHARE` Negatives that the sample keeps.")
        flags.DEFINE_integer("seeds", 2, "`COUNT` Trainings on each data set.", lower_bound=2)
        flags.DEFINE_integer("sample_epochs", 3, "`COUNT` Passes over the sample; one over all.")
        flags.DEFINE_string("model", "dmf", "`NAME` Model, as model.name.")
    with flag_group("Output"):
        flags.DEFINE_string("work", None, "`FOLDER` Log, examples and models.", required=True)
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    sizes = {name: _FLAGS[name].value for name in ("events", "users", "items")}
    log = os.path.join(_FLAGS.work, "log")
    simulate(log, MarketplaceSettings.from_dict({**sizes, "modalities": {"text": 16}}))
    ways = {
        "all negatives": (_join(log, "whole"), 1),
        "a share": (
            _join(log, "sample", downsample_negatives=f"click={_FLAGS.share}"),
            _FLAGS.sample_epochs,
        ),
    }
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for seed in range(1, _FLAGS.seeds + 1):
        for name, (examples, epochs) in ways.items():
            rows[name].append(_trained(examples, epochs, seed, name))
    results = {name: _summary(ways[name][0], found) for name, found in rows.items()}
    result_file.write(
        _FLAGS.output, "benchmarks.downsampling", {"share": _FLAGS.share, "results": results}
    )


def _join(log: str, name: str, **values: Any) -> ExampleSet:
    folder = os.path.join(_FLAGS.work, name)
    options = {
        "events": os.path.join(log, "impressions"),
        "output": folder,
        "embeddings": {"text": os.path.join(log, "embeddings", "text")},
        "context": ("device", "position:numeric"),
        "timestamp_unit": "ms",
        "history_length": 10,
        "partitions": 8,
        **values,
    }
    build_examples(JoinOptions.from_dict(options))
    return ExampleSet.open(folder)


def _trained(examples: ExampleSet, epochs: int, seed: int, name: str) -> dict[str, Any]:
    """Returns the figures of one model on the test split."""
    folder = os.path.join(_FLAGS.work, "models", f"{name.replace(' ', '_')}-{seed}")
    # A known number of steps in both ways, whatever validation says.
    training = TrainingConfig(
        seed=seed, epochs=epochs, learning_rate_decay="linear", averaging=0.0, patience=0
    )
    model, figures = fit.train(examples, ModelConfig(name=_FLAGS.model), training, folder)
    scored = scoring.score(model, examples, "test")
    found = metrics.summarize(scored.label, scored.probability, scored.user_id)
    logits = special.logit(scored.probability.astype(np.float64)) - model.logit_shift
    uncorrected = metrics.calibration(scored.label, special.expit(logits))
    row = {"seed": seed, "seconds": figures["seconds"], "steps": figures["steps"]}
    row |= {key: found[key] for key in _FIGURES if key in found} | {"uncorrected": uncorrected}
    logging.info("%s: %s", name, row)
    return row


def _summary(examples: ExampleSet, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns all rows, and of each figure the mean and the deviation over seeds."""
    summary: dict[str, Any] = {
        "candidates": examples.manifest["splits"]["train"]["candidates"],
        "positives": examples.manifest["splits"]["train"]["positives"]["click"],
        "rows": rows,
    }
    for key in _FIGURES:
        values = [row[key] for row in rows]
        summary[f"{key}_mean"] = float(np.mean(values))
        summary[f"{key}_std"] = float(np.std(values, ddof=1))
    return summary


if __name__ == "__main__":
    main()
