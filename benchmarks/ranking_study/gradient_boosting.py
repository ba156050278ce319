"""LightGBM on what the records say: the reference without a neural network.

After Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017. The
columns are those of `record_features`, and for item and user what the train split says of them up
to the request, so that ids are no advantage of the networks. Validation stops it early.
"""

from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np

from benchmarks.ranking_study import candidate_columns, record_features
from benchmarks.ranking_study.code_fingerprint import fingerprint
from features.errors import UserInputError
from features.schema import CANDIDATE_MASK, candidate_feature, context_feature
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
CODE = tuple(
    f"benchmarks/ranking_study/{name}.py"
    for name in ("gradient_boosting", "record_features", "candidate_columns")
)
"""Files that decide the columns and the trees."""

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

    Raises:
      UserInputError: LightGBM is not installed, or the records are weighted or lack negatives.
    """
    lightgbm = require()
    if examples.schema != examples.schema.of_requests:
        raise UserInputError(
            "gradient_boosting knows neither weights nor down-sampled negatives, but "
            f"{examples.folder!r} was joined with --weight_column or --downsample_negatives. Join "
            "without, or leave gradient_boosting out of --models."
        )
    needed = dict.fromkeys(("train", "validation", split))
    # Trials share the columns: the first computes them.
    tables_of = joblib.Memory(cache, verbose=0).cache(_tables, ignore=["examples"])
    key = fingerprint([examples.schema.to_dict(), examples.manifest["shards"]], ("features", *CODE))
    tables = tables_of(examples, tuple(needed), key)
    names = [name for name in tables["train"] if name not in candidate_columns.IDENTITY]
    matrices = {
        one: np.stack([table[name] for name in names], axis=1) for one, table in tables.items()
    }
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
    best = int(booster.best_iteration)
    rounds = min(best + _PATIENCE, _MOST_ROUNDS)
    reason = "patience" if rounds == best + _PATIENCE else "rounds"
    details = {
        "parameters": int(booster.num_trees()),
        "trained": {"unit": "trees", "amount": rounds, "best": best, "reason": reason},
        "columns": len(names),
        "most_gain": {names[i]: float(gain[i] / gain.sum()) for i in np.argsort(-gain)[:15]},
    }
    return candidate_columns.scored(tables[split], probability), details


def train_sums(train: Columns, rows: Columns) -> dict[str, np.ndarray]:
    """Returns what the train split had shown of each row's item and user before its time.

    For records without running statistics, so that trees know ids as well as networks do.

    Args:
      train: `item_id`, `user_id`, `timestamp` and `label`, `[N]` each, of the train split.
      rows: the same of other rows, which get count and smoothed rate of item and user.
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
    """Returns identity and feature columns by split, train first; `key` is for the cache."""
    schema = examples.schema
    features = record_features.features(schema, *_train_values(examples))
    tables: dict[str, dict[str, np.ndarray]] = {}
    for split in splits:
        tables[split] = candidate_columns.collect(examples, split, features)
        if all(side.kind != "running" for side in schema.item_features + schema.context_features):
            tables[split] |= train_sums(tables["train"], tables[split])
    return tables


def _train_values(examples: ExampleSet) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Returns the mean of each running statistic and the side features' values in train."""
    sides = {candidate_feature(side.name): side for side in examples.schema.item_features}
    sides |= {context_feature(side.name): side for side in examples.schema.context_features}

    def raw(batch: candidate_columns.Batch) -> dict[str, np.ndarray]:
        shape = batch[CANDIDATE_MASK].shape
        return {
            name: np.broadcast_to(one if one.ndim == 3 else one[:, None], (*shape, one.shape[-1]))
            for name, one in batch.items()
            if name in sides
        }

    train = candidate_columns.collect(examples, "train", raw) if sides else {}
    categorical = [name for name, side in sides.items() if side.kind == "categorical"]
    frequent = record_features.frequent_values({name: train[name] for name in categorical})
    priors: dict[str, float] = {}
    for name, side in sides.items():
        if side.kind == "running":
            # The count, the sums of the statistics, then residuals.
            count, *sums = train[name].sum(0, dtype=np.float64)
            for statistic, total in zip(side.statistics, sums, strict=False):
                priors.setdefault(statistic, float(total / max(count, 1)))
    return priors, frequent
