"""Models against each other on real data: the same protocol, several seeds.

    python -m benchmarks.quality --data ../shared/data/movielens --seeds 3 --output FILE.json

`dmf_shuffled` is the control: DMF on vectors shuffled between items, so that a pipeline that
mixes items up would be found out. Validation selects the weights, the test split is scored
once a model and seed.
"""

import dataclasses
import json
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import flags, logging

from features import embedding_set
from models import evaluation, training
from models.example_set import ExampleSet
from pipeline import demo_data, entry_point, environment, run_config
from pipeline.build_examples import build_examples
from pipeline.join_options import JoinOptions
from pipeline.run_config import DataConfig, RunConfig

_FLAGS = flags.FLAGS
_SHUFFLED = "_shuffled"
_FIGURES = ("auc", "gauc", "logloss", "ne", "calibration")


def define_flags() -> None:
    """Defines the benchmark's flags."""
    flags.DEFINE_string("data", None, "Folder laid out as pipeline.demo_data reads it.")
    flags.DEFINE_integer("seeds", 3, "Seeds 1..N.", lower_bound=1)
    flags.DEFINE_list("splits", ["global"], "global, user, or both.")
    flags.DEFINE_list(
        "models",
        ["id_only", "dmf", "early_fusion", "dmf_shuffled"],
        "Names of models; with _shuffled, on vectors shuffled between items.",
    )
    flags.DEFINE_string("config", "pipeline/configs/demo.py", "Python file with get_config().")
    flags.DEFINE_multi_string("set", [], "key=value, such as model.heads=2; repeatable.")
    flags.DEFINE_string("evaluate", "test", "Split to report; use validation while tuning.")
    flags.DEFINE_string("output", None, "JSON file.", required=True)


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def shuffle_embeddings(location: str, folder: str, seed: int) -> str:
    """Writes an embedding set whose vectors are dealt to other items, and returns its folder.

    Args:
      location: the embedding set.
      folder: where to write.
      seed: of the permutation.
    """
    original = embedding_set.read_embedding_set(location)
    order = np.random.default_rng(seed).permutation(len(original.item_ids))
    vectors = original.quantized[order].astype(np.float32)
    embedding_set.write_embedding_set(folder, original.item_ids, vectors, "shuffled", str(seed))
    return folder


def _main(arguments: Sequence[str]) -> None:
    del arguments
    config = run_config.load(_FLAGS.config, _FLAGS.set)
    rows = []
    with tempfile.TemporaryDirectory() as work:
        data = demo_data.prepare(DataConfig(source=_FLAGS.data), os.path.join(work, "data"))
        for split in _FLAGS.splits:
            joined: dict[bool, ExampleSet] = {}
            for name in _FLAGS.models:
                shuffled = name.endswith(_SHUFFLED)
                if shuffled not in joined:
                    joined[shuffled] = _join(config, data, split, shuffled, work)
                figures = [
                    _train(config, name.removesuffix(_SHUFFLED), joined[shuffled], seed, work)
                    for seed in range(1, _FLAGS.seeds + 1)
                ]
                rows.append({"split": split, "model": name, **_statistics(figures)})
                logging.info("%s", rows[-1])
    result = {
        "command": environment.command("benchmarks.quality"),
        "environment": environment.versions(),
        "evaluated": _FLAGS.evaluate,
        "rows": rows,
    }
    with open(_FLAGS.output, "w") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    for row in rows:
        print(
            f"{row['split']:<8}{row['model']:<16} AUC {row['auc_mean']:.4f} ± "
            f"{row['auc_std']:.4f}   GAUC {row['gauc_mean']:.4f} ± {row['gauc_std']:.4f}   "
            f"NE {row['ne_mean']:.4f}   calibration {row['calibration_mean']:.3f}"
        )


def _join(
    config: RunConfig, data: demo_data.RatingsData, split: str, shuffled: bool, work: str
) -> ExampleSet:
    embeddings = data.embeddings
    if shuffled:
        embeddings = {
            name: shuffle_embeddings(location, os.path.join(work, "shuffled", split, name), 0)
            for name, location in embeddings.items()
        }
    options = JoinOptions.from_dict(
        {
            **config.join,
            "split_by": split,
            "events": data.events,
            "items": data.items,
            "embeddings": embeddings,
            "output": os.path.join(work, f"examples-{split}-{shuffled}"),
        }
    )
    build_examples(options)
    return ExampleSet.open(options.output)


def _train(
    config: RunConfig, name: str, examples: ExampleSet, seed: int, work: str
) -> dict[str, Any]:
    model, _ = training.train(
        examples,
        run_config.with_name(config.model, name),
        dataclasses.replace(config.training, seed=seed),
        os.path.join(work, "model"),
    )
    scored = evaluation.score(model, examples, _FLAGS.evaluate)
    return evaluation.evaluate(scored, evaluation.train_counts(examples))


def _statistics(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns mean and standard deviation over seeds."""
    statistics: dict[str, Any] = {"seeds": len(figures)}
    for name in _FIGURES:
        values = [one[name] for one in figures]
        statistics[f"{name}_mean"] = float(np.mean(values))
        statistics[f"{name}_std"] = float(np.std(values))
    return statistics


if __name__ == "__main__":
    main()
