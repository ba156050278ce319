"""How models are compared: one budget, validation selects, test is scored once.

1. Data sets have a recipe each (`recipes`), the same for every model. Every network is trained by
   the same `TrainingConfig`, whose validation ends it; validation ends LightGBM too.
2. Tuning, with more than one trial: every model is trained with the same number of settings, with
   one seed on every data set. The setting of the best mean rank over data sets is chosen, for all
   of them; what is ranked is the mean of validation AUC and GAUC. Networks share one grid over
   learning rate and id drop-out; LightGBM has its own of the same size. These trials have no test
   split (`quality_trial.without_split`). With one trial the settings are the defaults.
3. Final: each model's setting is trained with seeds 1..S on every data set. Validation chooses the
   weights, or the number of trees, and the test split is scored once.
4. The control has the setting of its original model.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from features.errors import UserInputError
from models import factory
from models.training.config import TrainingConfig

SHUFFLED = "_shuffled"
BOOSTING, POPULARITY = "gradient_boosting", "popularity"
BASELINE = "id_only"
OF_MANY_SEEDS = (
    *(BASELINE, "early_fusion", "simtier", "sa_ta_tiers", "dta", "dmf"),
    BOOSTING,
)
"""Rows whose spread over seeds is measured."""

LEAST_SPREAD = 0.001
RESAMPLES = 1000
TUNING_SEED = 1

TITLES = {
    "popularity": "item's rate (learns nothing)",
    "id_only": "ID-only target attention",
    "din": "DIN",
    "raw_vectors": "raw vectors concatenated",
    "sim_score": "SimScore",
    "early_fusion": "early fusion",
    "simtier": "SimTier",
    "make": "MAKE",
    "sa_ta": "SA-TA",
    "sa_ta_tiers": "SA-TA with tiers (MUSE)",
    "dta": "DTA",
    "dmf_paper": "DMF, the paper's reading",
    "dmf": "DMF",
    "gradient_boosting": "LightGBM",
    "dmf_shuffled": "DMF, vectors shuffled (control)",
}
"""Title of every row by its name, in the table's order."""

_NEURAL_GRID = ((1.0, None), (0.5, None), (1.0, 0.3), (0.5, 0.3), (2.0, None), (0.25, None))
"""Factor on both of the configuration's learning rates, and id drop-out, None for the
configuration's; the configuration itself first.
"""

_BOOSTING_GRID: tuple[dict[str, Any], ...] = (
    {"num_leaves": 31, "min_data_in_leaf": 100},
    {"num_leaves": 15, "min_data_in_leaf": 100},
    {"num_leaves": 63, "min_data_in_leaf": 200},
    {"num_leaves": 31, "min_data_in_leaf": 300, "feature_fraction": 0.2},
    {"num_leaves": 31, "min_data_in_leaf": 100, "learning_rate": 0.015},
    {"num_leaves": 15, "min_data_in_leaf": 300, "feature_fraction": 0.2},
)
MOST_TRIALS = min(len(_NEURAL_GRID), len(_BOOSTING_GRID))


Setting = dict[str, dict[str, Any]]
"""One choice of tuning, beyond the configuration that all models share: `model`, fields of
`ModelConfig`; `training`, fields of `TrainingConfig`; `boosting`, parameters of LightGBM.
"""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Models, seeds and tuning budget.

    Attributes:
      models: rows of the table, with `_shuffled` for a control.
      seeds: of the final runs of `OF_MANY_SEEDS`, 1..S.
      other_seeds: of those of the other rows.
      trials: settings tried for each model, T.
      resamples: of the bootstrap over users.
    """

    models: tuple[str, ...]
    seeds: int
    other_seeds: int
    trials: int
    resamples: int = RESAMPLES

    def __post_init__(self) -> None:
        """Checks that each row has a run of the baseline beside it.

        Raises:
          UserInputError: the baseline has fewer seeds than others.
        """
        if self.other_seeds > self.seeds:
            raise UserInputError(
                f"--other_seeds {self.other_seeds} is more than --seeds {self.seeds}: each seed of "
                f"a row is compared with the same one of {BASELINE}."
            )

    def seeds_of(self, model: str) -> int:
        """Returns the number of final runs of a row on each data set."""
        if model == POPULARITY:
            return 1  # It has no seed.
        return self.seeds if model in OF_MANY_SEEDS else self.other_seeds

    def to_dict(self) -> dict[str, Any]:
        """Returns the protocol as JSON values, in words where it is not a number."""
        return {
            "settings": "the same for all data sets, and for all networks"
            + ("" if self.trials == 1 else " but for the choice between settings"),
            "tuning": "none"
            if self.trials == 1
            else f"{self.trials} settings per model, seed {TUNING_SEED}, on every data set without "
            "its test split; the best mean rank by the mean of AUC and GAUC on validation",
            "budget": "validation ends the training of every network by one rule, and LightGBM's",
            "final": f"seeds 1..{self.seeds} of {', '.join(OF_MANY_SEEDS)}, 1..{self.other_seeds} "
            "of the others, on every data set; test scored once per seed",
            "rank": "by the mean of test AUC and GAUC, without controls",
            "spread": f"the larger of {LEAST_SPREAD} and the standard deviations over seeds of the "
            "row and of the best; a row no further behind the best is tied with it",
            "closed": "in simulated markets, the share of the distance in AUC from the item's rate "
            "to the true probability without the position's effect",
            "deviation": "standard deviation over seeds, n - 1",
            "difference": f"to {BASELINE} of the same seeds, mean over seeds; 95% interval by "
            f"{self.resamples} draws of users with replacement",
            "trials": self.trials,
            "seeds": self.seeds,
            "other_seeds": self.other_seeds,
            "resamples": self.resamples,
        }


def default_models(with_vectors: bool = True) -> list[str]:
    """Returns the rows of the table, in its order.

    Args:
      with_vectors: include rows that need embedding sets besides the records.
    """
    return [
        name
        for name in TITLES
        if with_vectors or not (name.endswith(SHUFFLED) or reads_vectors(name) == "always")
    ]


def reads_vectors(name: str) -> str:
    """Returns whether a row reads embedding sets: `never`, `if_given` or `always`."""
    return getattr(factory.MODELS.get(name), "reads_vectors", "never")


def check_models(names: Sequence[str]) -> None:
    """Raises `UserInputError` for an unknown row, or a control without its original."""
    known = (*factory.MODELS, BOOSTING, POPULARITY)
    unknown = [name for name in names if name.removesuffix(SHUFFLED) not in known]
    if unknown or len(set(names)) != len(names) or BASELINE not in names:
        raise UserInputError(
            f"--models {','.join(names)}: expected {BASELINE}, which all are compared with, and "
            f"others of {', '.join(default_models())}, each once."
        )
    for name in names:
        original = name.removesuffix(SHUFFLED)
        if original not in names:
            raise UserInputError(
                f"--models has {name}, which takes the setting of {original}: add it."
            )


def settings(model: str, trials: int, training: TrainingConfig) -> list[Setting]:
    """Returns the settings that a model is tuned over; a single one for `popularity`.

    Args:
      model: a row, not a control.
      trials: T.
      training: the learning rates that the factors apply to.
    """
    empty: Setting = {"model": {}, "training": {}, "boosting": {}}
    if model == POPULARITY:
        return [empty]
    if model == BOOSTING:
        return [{**empty, "boosting": values} for values in _BOOSTING_GRID[:trials]]
    rates = ("learning_rate", "bucket_learning_rate")
    return [
        {
            **empty,
            "model": {} if dropout is None else {"id_dropout": dropout},
            "training": {rate: factor * getattr(training, rate) for rate in rates},
        }
        for factor, dropout in _NEURAL_GRID[:trials]
    ]


def selection_score(figures: Mapping[str, Any]) -> float:
    """Returns what rows and settings are ranked by: the mean of AUC and GAUC."""
    known = [figures[name] for name in ("auc", "gauc") if figures[name] is not None]
    return sum(known) / len(known) if known else float("-inf")


def chosen(scores: Sequence[Sequence[float]]) -> int:
    """Returns the setting of the best mean rank, and of those the one that was tried first.

    Args:
      scores: by setting, of every data set.
    """
    ranks = rankdata(-np.asarray(scores, np.float64), axis=0)
    return int(np.argmin(ranks.mean(axis=1)))
