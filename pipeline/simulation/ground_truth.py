"""What the best model could reach on a simulated log, and what it could without content."""

import os
from typing import Any

import numpy as np
from absl import logging

from features.files import storage
from pipeline.runtime import json_file
from pipeline.simulation.marketplace import STRENGTH, Marketplace, position_effect
from pipeline.simulation.settings import DAY, START, MarketplaceSettings

FILE_NAME = "truth.json"
SCORES = ("bayes", "without_position", "ids_alone", "similarity_ungated", "item_rate")
"""What `ceilings` scores by."""

TEST_FRACTION = 0.2
"""Of the simulated time, at its end."""

_BINS = 1 << 18
_LARGEST_LOGIT = 16.0
_PRIOR_STRENGTH = 20.0
"""Number of an item's impressions at which its own rate has half the weight."""


def ceilings(
    folder: str, settings: MarketplaceSettings, marketplace: Marketplace
) -> dict[str, Any]:
    """Scores the last part of a log, file by file, with probabilities that nobody has to learn.

    - `bayes`: the true click probability.
    - `without_position`: the position's effect is taken out, as for a model that does not know it.
    - `ids_alone`: the similarity in it is replaced by its mean over the moments of this user
      for this item. No model of user, item, position and device ids can know more about it; one
      that also reads the history's ids can, as far as it learns which items are alike.
    - `similarity_ungated`: the gate is replaced by its mean over the catalog, as for a model
      that adds similarity without letting it interact with the id. Where all items have the same
      gate (`content` is `additive` or `none`) it equals `bayes`.
    - `item_rate`: the item's clicks per impression before that part, shrunken towards those of
      all items, as for a model that knows no user.

    Rows of the folder's `impressions/` and `truth/` belong together; `marketplace` is after its
    last block.
    """
    cut = int(START + (1 - TEST_FRACTION) * (settings.days * DAY))
    scores = {name: BinnedScore() for name in SCORES}
    profiles = marketplace.mean_profiles()
    items = marketplace.items
    mean_gate = items.gate.mean()
    before = np.zeros((2, settings.items))
    for name in sorted(os.listdir(os.path.join(folder, "truth"))):
        shown = storage.open_parquet(os.path.join(folder, "impressions", name))
        truth = storage.open_parquet(os.path.join(folder, "truth", name))
        for group in range(shown.num_row_groups):
            times = shown.read_row_group(group, ["timestamp"])["timestamp"].to_numpy()
            ids = shown.read_row_group(group, ["user_id", "item_id", "position"])
            known = truth.read_row_group(group, ["click", "click_probability", "similarity"])
            user, item = (ids[name].to_numpy() - 1 for name in ("user_id", "item_id"))
            label, probability, similarity = (column.to_numpy() for column in known.columns)
            # Rows are in the order of time: those before the cut have all been read before others.
            early = times < cut
            for outcome in (0, 1):
                chosen = item[early & (label == outcome)]
                before[outcome] += np.bincount(chosen, minlength=settings.items)
            if early.all():
                continue
            logit = np.log(probability.astype(np.float64) / (1 - probability))
            without = logit - STRENGTH * items.gate[item] * similarity
            usual = np.einsum("id,id->i", items.content[item], profiles[user])
            test = ~early
            scores["bayes"].add(label[test], logit[test])
            unplaced = logit - position_effect(settings, ids["position"].to_numpy())
            scores["without_position"].add(label[test], unplaced[test])
            alone = without + STRENGTH * items.gate[item] * usual
            scores["ids_alone"].add(label[test], alone[test])
            ungated = without + STRENGTH * mean_gate * similarity
            scores["similarity_ungated"].add(label[test], ungated[test])
            scores["item_rate"].add(label[test], _rate_logit(before)[item[test]])
    shown, clicks = int(scores["bayes"].labels.sum()), int(scores["bayes"].labels[1])
    best = {name: {"auc": one.auc(), "log_loss": one.log_loss()} for name, one in scores.items()}
    return {"from_timestamp": cut, "impressions": shown, "clicks": clicks, **best}


def log(folder: str) -> None:
    """Logs the ceilings of a simulated log, a line each."""
    truth = json_file.read(os.path.join(folder, FILE_NAME), "The truth")
    for name in SCORES:
        shown = ("undefined" if one is None else f"{one:.4f}" for one in truth[name].values())
        logging.info("%-20s AUC %s   log loss %s", name, *shown)


def _rate_logit(counts: np.ndarray) -> np.ndarray:
    """Returns the logit of each item's smoothed rate, `[N]`, of its `[2, N]` labels 0 and 1."""
    prior = (counts.sum(axis=1) + 1) / (counts.sum() + 2)
    negatives, positives = counts + _PRIOR_STRENGTH * prior[:, None]
    return np.log(positives / negatives)


class BinnedScore:
    """AUC and log loss of a stream of logits; memory does not grow.

    The AUC takes logits in the same of 2^18 bins as ties, which moves it by less than 1e-5.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((2, _BINS), np.int64)
        self._loss = 0.0

    @property
    def labels(self) -> np.ndarray:
        """The impressions without and with a click; `[2]` int64."""
        return self._counts.sum(axis=1)

    def add(self, label: np.ndarray, logit: np.ndarray) -> None:
        """Adds impressions, `[I]` labels of 0 or 1 and `[I]` float64 logits."""
        scaled = (logit / _LARGEST_LOGIT + 1) * (_BINS // 2)
        bins = np.clip(scaled, 0, _BINS - 1).astype(np.int64)
        for value in (0, 1):
            self._counts[value] += np.bincount(bins[label == value], minlength=_BINS)
        self._loss += float(np.sum(np.logaddexp(0, np.where(label == 1, -logit, logit))))

    def auc(self) -> float | None:
        """Returns the area under the ROC curve, None where only one class was added."""
        negatives, positives = self._counts.astype(np.float64)
        if not negatives.any() or not positives.any():
            return None
        below = np.cumsum(negatives) - negatives
        wins = np.sum(positives * (below + negatives / 2))
        return float(wins / (negatives.sum() * positives.sum()))

    def log_loss(self) -> float | None:
        """Returns the mean log loss in nats, None where nothing was added."""
        count = int(self.labels.sum())
        return self._loss / count if count else None
