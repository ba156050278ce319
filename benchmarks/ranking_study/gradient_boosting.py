"""LightGBM on what the records say: the reference without a neural network.

After Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017. The
columns are those of `record_features`, and for item and user what the train split says of them up
to the request, so that ids are no advantage of the networks. Validation stops it early.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np

from benchmarks.ranking_study import candidate_columns, record_features
from benchmarks.ranking_study.code_fingerprint import code_sha256
from features.errors import UserInputError
from features.records import running_statistics
from features.schema import (
    CANDIDATE_MASK,
    ExampleSchema,
    SideFeature,
    candidate_feature,
    context_feature,
)
from models.evaluation.scoring import Scored
from models.inputs.example_set import ExampleSet
from pipeline.join.partition.cumulative_sums import CumulativeSums

PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "metric": ["auc"],
    "learning_rate": 0.03,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
}
_MOST_ROUNDS = 3000
_PATIENCE = 150
_PRIOR_STRENGTH = 20.0
_CODE = (
    "features",
    "benchmarks/ranking_study/gradient_boosting.py",
    "benchmarks/ranking_study/record_features.py",
    "benchmarks/ranking_study/candidate_columns.py",
)

Columns = Mapping[str, np.ndarray]


def require() -> Any:
    """Imports LightGBM.

    Raises:
      UserInputError: it or the OpenMP library that it needs is not installed.
    """
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise UserInputError(
            f"gradient_boosting needs LightGBM, which cannot be loaded ({error}). Install the "
            "extra [dev] and the system's libgomp1 (apt-get install libgomp1), or leave "
            "gradient_boosting out of --models."
        ) from error
    return lightgbm


def train(
    examples: ExampleSet, split: str, settings: Mapping[str, Any], seed: int, cache: str
) -> tuple[Scored, dict[str, Any]]:
    """Trains on the train split until validation's AUC no longer grows, and scores a split.

    Args:
      examples: the data set.
      split: to score.
      settings: LightGBM's parameters besides `PARAMETERS`.
      seed: of the bagging.
      cache: folder for the columns, which all trials on these records share.

    Returns:
      The scored candidates; the trees' number and the columns of most gain.
    """
    lightgbm = require()
    needed = dict.fromkeys(("train", "validation", split))
    # Trials share the columns: the first computes them.
    tables_of = joblib.Memory(cache, verbose=0).cache(_tables, ignore=["examples"])
    tables = tables_of(examples, tuple(needed), _fingerprint(examples))
    names = [name for name in tables["train"] if name not in candidate_columns.IDENTITY]
    matrices = {one: _matrix(table, names) for one, table in tables.items()}
    fitted = lightgbm.Dataset(matrices["train"], tables["train"]["label"], feature_name=names)
    held_out = fitted.create_valid(matrices["validation"], tables["validation"]["label"])
    booster = lightgbm.train(
        {**PARAMETERS, **settings, "seed": seed},
        fitted,
        _MOST_ROUNDS,
        valid_sets=[held_out],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )
    probability = booster.predict(matrices[split])
    gain = booster.feature_importance("gain")
    details = {
        "parameters": int(booster.num_trees()),
        "best_round": int(booster.best_iteration),
        "columns": len(names),
        "most_gain": {names[i]: float(gain[i] / gain.sum()) for i in np.argsort(-gain)[:15]},
    }
    return candidate_columns.scored(tables[split], probability), details


def train_sums(train: Columns, rows: Columns) -> dict[str, np.ndarray]:
    """Returns what the train split had shown of each row's item and user before its time.

    For records without running statistics, so that trees know ids as well as networks do.

    Args:
      train: `item_id`, `user_id`, `timestamp` and `label`, `[N]` each, of the train split.
      rows: the same of the rows that are asked for.

    Returns:
      Count and smoothed rate of item and user, `[N]` each.
    """
    prior = train["label"].mean()
    values = np.stack([np.ones_like(train["label"]), train["label"]], axis=1)
    columns = {}
    for noun in ("item", "user"):
        sums = CumulativeSums(train[f"{noun}_id"], train["timestamp"], values)
        count, positives = sums.before(rows[f"{noun}_id"], rows["timestamp"]).T
        columns[f"{noun}_train_count"] = count.astype(np.float32)
        rate = (positives + _PRIOR_STRENGTH * prior) / (count + _PRIOR_STRENGTH)
        columns[f"{noun}_train_rate"] = rate.astype(np.float32)
    return columns


def _tables(
    examples: ExampleSet, splits: tuple[str, ...], key: str
) -> dict[str, dict[str, np.ndarray]]:
    """Returns identity and feature columns by split.

    Args:
      examples: the data set.
      splits: train first.
      key: fingerprint of the data set and the code.
    """
    schema, label = examples.schema, examples.schema.primary_label
    features = record_features.features(schema, *_train_values(examples))
    tables: dict[str, dict[str, np.ndarray]] = {}
    for split in splits:
        tables[split] = candidate_columns.collect(
            examples,
            split,
            lambda batch: {**candidate_columns.identity(batch, label), **features(batch)},
        )
        if not any(side.kind == "running" for side in _sides(schema).values()):
            tables[split] |= train_sums(tables["train"], tables[split])
    return tables


def _sides(schema: ExampleSchema) -> dict[str, SideFeature]:
    items = {candidate_feature(side.name): side for side in schema.item_features}
    return items | {context_feature(side.name): side for side in schema.context_features}


def _train_values(examples: ExampleSet) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Returns the mean of each running statistic and the side features' values in train."""
    sides = _sides(examples.schema)

    def raw(batch: candidate_columns.Batch) -> dict[str, np.ndarray]:
        shape = batch[CANDIDATE_MASK].shape
        values = {name: batch[name] for name in sides}
        return {
            name: one if one.ndim == 3 else np.broadcast_to(one[:, None], (*shape, one.shape[-1]))
            for name, one in values.items()
        }

    train = candidate_columns.collect(examples, "train", raw) if sides else {}
    frequent = record_features.frequent_values(
        {name: train[name] for name, side in sides.items() if side.kind == "categorical"}
    )
    priors: dict[str, float] = {}
    for name, side in sides.items():
        if side.kind == "running":
            total = train[name].sum(0, dtype=np.float64)
            for statistic in side.statistics:
                at = running_statistics.columns(side).index(f"sum_{statistic}")
                priors.setdefault(statistic, float(total[at] / max(total[0], 1)))
    return priors, frequent


def _matrix(table: Columns, names: list[str]) -> np.ndarray:
    return np.stack([table[name] for name in names], axis=1)


def _fingerprint(examples: ExampleSet) -> str:
    parts = [examples.schema.to_dict(), examples.manifest["shards"], code_sha256(_CODE)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
