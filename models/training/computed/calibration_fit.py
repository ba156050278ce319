"""Scales and shifts a trained model's logit, so that it promises as much as validation keeps."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging
from scipy import optimize, special

from models.evaluation import scoring
from models.evaluation.scoring import Scored
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel

_SPLIT = "validation"
_FARTHEST = 5.0
"""The largest move of a logit; beyond it the model is wrong in other ways than by its bias."""

_SEARCHED = 50.0
"""How far a shift is looked for; scales below 1 move the mean of logits by more than a bias."""

_TRUST = 1000.0
"""Positives of the validation split at which it counts as much as training: both then know the
bias to about 1 / sqrt(1000), 3 percent."""

_LEAST, _MOST = 0.1, 10.0
"""Of a scale. At 0 nothing could be learned again after a warm start."""

_RIDGE = 10.0
"""Holds scales that the split says little of near 1, as if known to 1 / sqrt(10)."""


class Calibration(NamedTuple):
    """What a model's logit became.

    Attributes:
      of_prior: the factor of the item prior; 1 without one.
      learned: the factor of all that is learned beside it.
      shift: what was added.
    """

    of_prior: float = 1.0
    learned: float = 1.0
    shift: float = 0.0


def fit_calibration(model: RankingModel, examples: ExampleSet) -> Calibration:
    """Fits three numbers to the validation split: two scales and a shift of the logit.

    The scales: where histories and content say little, training still learns something, and its
    noise makes the ranking worse than the items' rates alone. A logistic regression of the labels
    on both parts of the logit gives each what it is worth (stacking: Wolpert, "Stacked
    generalization", Neural Networks 5, 1992; with one part alone it is Platt's scaling). On a split
    of few positives both stay near 1. With positions they are 1: clicks follow positions, which the
    score leaves out, and would give too much to rates that followed them too.

    The shift: the AUC, which selects weights, does not see a bias, and the last steps of training
    leave one of a few percent. The correction of the sample multiplies odds, so nothing of it would
    be lost. With sampled negatives, and with positions, whose effect evaluation and serving leave
    out, predicted over observed is then 1 on the validation split. Other models go only a part of
    the way, less the fewer positives the split has: a few of them say less of the bias than
    training does.

    Each candidate counts by its weight, as in the loss, and as often as it stands for.

    Args:
      model: trained; its factors and biases are changed in place.
      examples: what it was trained on.

    Returns:
      The three numbers; nothing changes where the split has one label alone, or where the model's
      mean is farther off than any bias.
    """
    scored = scoring.score(model, examples, _SPLIT)
    weight = np.ones(len(scored.label))
    for factor in (scored.stands_for, scored.weight):
        weight = weight if factor is None else weight * factor
    observed = float(weight @ scored.label)
    logits = special.logit(np.clip(scored.probability.astype(np.float64), 1e-12, 1 - 1e-7))
    bias = _shift(logits, weight, observed)
    if bias is None or abs(bias) > _FARTHEST:
        return Calibration()
    prior = _prior(model, scored)
    learned = logits - prior
    of_prior, of_learned = 1.0, 1.0
    if model.position_bias is None:
        of_prior, of_learned = _scales(prior, learned, scored.label, weight)
    scaled = of_prior * prior + of_learned * learned
    share = 1.0
    if examples.schema.downsampling is None and model.position_bias is None:
        # As many positives of weight 1 would know the rate as well.
        positives = observed**2 / float(weight**2 @ scored.label)
        share = positives / (positives + _TRUST)
    predicted = float(weight @ special.expit(logits))
    shift = _shift(scaled, weight, predicted + share * (observed - predicted))
    if shift is None:
        return Calibration()
    # The constant of downsampling is exact and keeps its factor of 1.
    shift += (of_learned - 1) * model.logit_shift
    model.scale_logit(of_prior, of_learned)
    model.head.shift(shift)
    logging.info(
        "After validation the items' rates count %.2f times, what was learned beside them %.2f "
        "times, and the mean prediction goes from %.3f to %.3f times the observed.",
        of_prior,
        of_learned,
        predicted / observed,
        1 + (1 - share) * (predicted / observed - 1),
    )
    return Calibration(of_prior, of_learned, shift)


def _prior(model: RankingModel, scored: Scored) -> np.ndarray:
    """Returns what the candidates' own rates add to their logits, `[N]` float64."""
    if model.item_prior is None:
        return np.zeros(len(scored.label))
    rows = model.item_embedding.rows(tf.constant(scored.item_id))
    return model.item_prior(rows).numpy().astype(np.float64)


def _shift(logits: np.ndarray, weight: np.ndarray, total: float) -> float | None:
    """Returns what has to be added to logits `[N]` so that probabilities add up to a total.

    None where nothing does.
    """

    def excess(move: float) -> float:
        return float(weight @ special.expit(logits + move)) - total

    if not excess(-_SEARCHED) < 0 < excess(_SEARCHED):
        return None
    return float(optimize.brentq(excess, -_SEARCHED, _SEARCHED, xtol=1e-6))


def _scales(
    prior: np.ndarray, learned: np.ndarray, label: np.ndarray, weight: np.ndarray
) -> tuple[float, float]:
    """Returns the factors of both parts of the logit under which labels are likeliest.

    All but the result `[N]`. Beside them an intercept is fitted, which is not kept.
    """
    # As many candidates of weight 1 would say as much.
    weight = weight * weight.sum() / float(weight @ weight)
    parts = np.stack([np.ones(len(prior)), prior, learned])
    parts[1:] -= parts[1:].mean(axis=1, keepdims=True)
    center = float(weight @ learned / weight.sum())

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        logits = values @ parts + center
        away = values - np.array([values[0], 1, 1])
        likelihood = weight @ (np.logaddexp(0, logits) - label * logits)
        gradient = parts @ (weight * (special.expit(logits) - label))
        return float(likelihood + _RIDGE * (away @ away) / 2), gradient + _RIDGE * away

    bounds = [(None, None), (_LEAST, _MOST), (_LEAST, _MOST)]
    found = optimize.minimize(loss, [0.0, 1.0, 1.0], jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[1]), float(found.x[2])
