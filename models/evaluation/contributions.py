"""What each path of a model, or all of its content, contributes to AUC and GAUC, and for whom."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.evaluation import bootstrap, metrics
from models.evaluation.bootstrap import Draws
from models.evaluation.scoring import Scored

_RESAMPLES = 200
_SLICED = ("item_train_count", "history_length")


def measure(
    scored: Scored,
    others: Mapping[str, np.ndarray],
    slices: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, Any]:
    """Compares a model with what scores the same candidates otherwise.

    Args:
      scored: what `scoring.score` returned for the model.
      others: probabilities `[N]` float32 by name: of the model without a path (`ablation.score`),
        or of another model.
      slices: what `scoring.slices` returned.

    Returns:
      `auc` and `gauc` of the model; `users`; `others`, by name the other's `auc` and `gauc`, and
      how much it is behind the model: `auc_loss`, `gauc_loss` and, as `<name>_interval`, their 95%
      intervals, two numbers each, of a bootstrap over users; `slices`, lists of the slices by item
      and by history, with `slice`, `candidates`, `users`, `auc`, and `others` with the same losses.
      A figure that is not defined is None. The intervals say what other users would change, not
      what another seed of the training would.
    """
    return {
        **_compare(scored, others),
        "slices": {
            by: [
                {"slice": name, **_compare(_chosen(scored, chosen), _each(others, chosen))}
                for name, chosen in slices[by].items()
                if chosen.any()
            ]
            for by in _SLICED
        },
    }


def _compare(scored: Scored, others: Mapping[str, np.ndarray]) -> dict[str, Any]:
    draws = Draws.of(scored.user_id, _RESAMPLES)
    own, own_drawn = _figures(scored, scored.probability, draws)
    compared = {}
    for name, probability in others.items():
        figures, drawn = _figures(scored, probability, draws)
        losses: dict[str, Any] = {}
        for metric, value in own.items():
            other, loss, interval = figures[metric], None, None
            if value is not None and other is not None:
                loss = value - other
                interval = bootstrap.interval(own_drawn[metric] - drawn[metric])
            losses |= {f"{metric}_loss": loss, f"{metric}_loss_interval": interval}
        compared[name] = {**figures, **losses}
    users = int(draws.times.shape[1])
    return {"candidates": len(scored.label), "users": users, **own, "others": compared}


def _figures(
    scored: Scored, probability: np.ndarray, draws: Draws
) -> tuple[dict[str, float | None], dict[str, np.ndarray]]:
    """Returns AUC and GAUC, of all users and of each draw `[B]`."""
    weights = scored.stands_for
    figures = {
        "auc": metrics.auc(scored.label, probability, weights),
        "gauc": metrics.gauc(scored.label, probability, scored.user_id, weights)[0],
    }
    drawn = {
        "auc": bootstrap.auc(draws, scored.label, probability, weights),
        "gauc": bootstrap.gauc(draws, scored.label, probability, weights),
    }
    return figures, drawn


def _chosen(scored: Scored, chosen: np.ndarray) -> Scored:
    """Returns the chosen candidates, with what is read here."""
    return dataclasses.replace(
        scored,
        user_id=scored.user_id[chosen],
        label=scored.label[chosen],
        probability=scored.probability[chosen],
        stands_for=None if scored.stands_for is None else scored.stands_for[chosen],
    )


def _each(others: Mapping[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    return {name: one[chosen] for name, one in others.items()}
