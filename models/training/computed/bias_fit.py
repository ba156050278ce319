"""Moves a model's bias, so that it predicts as much as happens."""

import numpy as np
from absl import logging
from scipy import optimize, special

from models.evaluation import scoring
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel

_SPLIT = "validation"
_FARTHEST = 5.0
"""The largest move of a logit; beyond it the model is wrong in other ways than by its bias."""

_TRUST = 1000.0
"""Positives of the validation split at which it counts as much as training: both then know the
bias to about 1 / sqrt(1000), 3 percent."""


def fit_bias(model: RankingModel, examples: ExampleSet) -> float:
    """Fits the head's bias to the validation split.

    The AUC, which selects weights, does not see a bias, and the last steps of training leave one of
    a few percent. The correction of the sample multiplies odds, so nothing of it would be lost.
    With sampled negatives, and with positions, whose effect evaluation and serving leave out,
    predicted over observed is then 1 on the validation split, each candidate counted by its weight,
    as in the loss, and as often as it stands for. Other models go only a part of the way, less the
    fewer positives the split has: a few of them say less of the bias than training does. The order
    of scores stays.

    Args:
      model: trained; the bias is moved in place.
      examples: what it was trained on.

    Returns:
      By how much each logit moved.
    """
    scored = scoring.score(model, examples, _SPLIT)
    weight = np.ones(len(scored.label))
    for factor in (scored.stands_for, scored.weight):
        weight = weight if factor is None else weight * factor
    observed = float(weight @ scored.label)
    logits = special.logit(np.clip(scored.probability.astype(np.float64), 1e-12, 1 - 1e-7))

    def excess(move: float) -> float:
        return float(weight @ special.expit(logits + move)) - observed

    if not excess(-_FARTHEST) < 0 < excess(_FARTHEST):
        return 0.0
    move = float(optimize.brentq(excess, -_FARTHEST, _FARTHEST, xtol=1e-6))
    if examples.schema.downsampling is None and model.position_bias is None:
        # As many positives of weight 1 would know the rate as well.
        positives = observed**2 / float(weight**2 @ scored.label)
        move *= positives / (positives + _TRUST)
    model.head.shift(move)
    logging.info("The bias moves by %+.4f, towards as many positives as validation has.", move)
    return move
