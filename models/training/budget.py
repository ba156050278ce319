"""When a training ends: by what validation says, or at a bound."""

import dataclasses
from typing import Any, Literal

from models.training.config import TrainingConfig
from models.training.passes import TrainingInput
from models.training.state import best

Reason = Literal["patience", "epochs", "max_steps", "max_seconds"]


@dataclasses.dataclass(frozen=True)
class Stopped:
    """Why a training ended, and where it was best.

    Attributes:
      reason: the setting that ended it.
      passes: passes over the train split that were trained on, such as 5.25.
      best_step: step of the weights that are kept.
      best_passes: passes until then.
      sentence: all of it in words.
    """

    reason: Reason
    passes: float
    best_step: int
    best_passes: float
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON values."""
        return dataclasses.asdict(self)


def end_of(
    history: list[dict[str, float]], out_of_time: bool, data: TrainingInput, config: TrainingConfig
) -> Stopped | None:
    """Returns why a training ends after its last evaluation, or None where it goes on.

    Args:
      history: a row per evaluation, with `step` and `val_auc`.
      out_of_time: whether `config.max_seconds` is over.
      data: what it trains on.
      config: its bounds.
    """
    if not history:
        return None
    step = int(history[-1]["step"])
    reason: Reason
    if step >= data.steps:
        reason = "epochs" if data.steps == data.steps_of_all_passes else "max_steps"
    elif 0 < config.patience <= without_improvement(history, config.min_improvement):
        reason = "patience"
    elif out_of_time:
        reason = "max_seconds"
    else:
        return None
    chosen = best(history)
    passes, best_passes = data.passes(step), data.passes(int(chosen["step"]))
    why = {
        "epochs": f"all that training.epochs={config.epochs} allows",
        "max_steps": f"training.max_steps={config.max_steps} is reached",
        "max_seconds": f"training.max_seconds={config.max_seconds:g} is over",
        "patience": f"validation AUC has not improved by {config.min_improvement:g} for "
        f"{_count(config.patience, 'evaluation')}",
    }[reason]
    sentence = (
        f"Stopped after {_count(passes, 'pass')}: {why} (best {chosen['val_auc']:.4f} after "
        f"{_count(best_passes, 'pass')})"
    )
    return Stopped(reason, passes, int(chosen["step"]), best_passes, sentence)


def without_improvement(history: list[dict[str, float]], least: float) -> int:
    """Returns the number of evaluations since validation AUC last rose by more than `least`.

    Small steps add up: each evaluation is compared with the last one that counted, not with the
    one before it.
    """
    reference, since = history[0]["val_auc"], 0
    for row in history[1:]:
        since += 1
        if row["val_auc"] > reference + least:
            reference, since = row["val_auc"], 0
    return since


def _count(number: float, noun: str) -> str:
    plural = "passes" if noun == "pass" else f"{noun}s"
    return f"{number:g} {noun if number == 1 else plural}"
