"""One optimizer per group of variables."""

import functools
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from features.errors import UserInputError
from models.ranking_model import RankingModel
from models.training import distribution
from models.training.config import TableOptimizer, TrainingConfig
from models.training.lazy_adam import LazyAdam

_LAST_SHARE = 0.05
_WARM_UP = 200
"""Most steps in which a constant learning rate rises from near zero."""

_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "lazy_adam": LazyAdam,
    "adagrad": keras.optimizers.Adagrad,
}


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A step size that rises linearly at first and is constant then.

    Adam's first steps are as large as any, whatever its first gradients are.

    Args:
      rate: the constant step size.
      steps: number of steps until it is reached, the last one with all of it.
    """

    def __init__(self, rate: float, steps: int) -> None:
        super().__init__()
        self._rate, self._steps = rate, steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the size of a step, counted from 0."""
        share = (tf.cast(step, tf.float32) + 1) / self._steps
        return self._rate * tf.minimum(1.0, share)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"rate": self._rate, "steps": self._steps}


def build_optimizer(
    model: RankingModel, config: TrainingConfig, steps: int
) -> keras.optimizers.Optimizer:
    """Returns the optimizer of a built model.

    The bucket tables start at a saddle and need larger steps than the rest (docs/design.md, "The
    saddle point of the bucket tables"), so they have their own Adam. Every table that the
    configuration names has its own optimizer, too.

    Args:
      model: its variables must exist.
      config: optimizers and step sizes.
      steps: most steps of the whole training, over which step sizes decay.

    Raises:
      UserInputError: a table that the configuration names does not exist.
    """
    buckets = distribution.parts(model.bucket_variables())
    rest: list[tf.Variable] = []
    groups = [(_optimizer(config.optimizer, config.learning_rate, config, steps), rest)]
    if buckets:
        groups.append((_optimizer("adam", config.bucket_learning_rate, config, steps), buckets))
    for table, own in _own_tables(model, config):
        rate = own.learning_rate or config.learning_rate
        groups.append((_optimizer(own.optimizer, rate, config, steps), distribution.parts([table])))
    apart = {id(variable) for _, variables in groups for variable in variables}
    rest.extend(one for one in model.trainable_variables if id(one) not in apart)
    # Creates the slots now: if the first step created them, Keras would trace that step twice.
    for optimizer, variables in groups:
        optimizer.build(variables)
    return tfrs.experimental.optimizers.CompositeOptimizer(
        [(optimizer, functools.partial(list, variables)) for optimizer, variables in groups]
    )


def _own_tables(
    model: RankingModel, config: TrainingConfig
) -> list[tuple[tf.Variable, TableOptimizer]]:
    """Returns the tables that have their own optimizer, with its settings.

    Raises:
      UserInputError: the model has no table of a configured name.
    """
    tables = model.tables
    if unknown := sorted(set(config.table_optimizers) - set(tables)):
        raise UserInputError(
            f"training.table_optimizers names {unknown}, but the tables of this model are "
            f"{sorted(tables)}."
        )
    return [(tables[name], own) for name, own in config.table_optimizers.items()]


def _optimizer(
    name: str, learning_rate: float, config: TrainingConfig, steps: int
) -> keras.optimizers.Optimizer:
    return _OPTIMIZERS[name](_step_size(learning_rate, config, steps))


def _step_size(
    start: float, config: TrainingConfig, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the step size's schedule over the optimizer's checkpointed step count."""
    if config.learning_rate_decay == "none":
        return WarmUp(start, warm_up_steps(config, steps))
    return keras.optimizers.schedules.PolynomialDecay(start, steps, _LAST_SHARE * start)


def warm_up_steps(config: TrainingConfig, steps: int) -> int:
    """Returns the length of the warm-up: at most half of what precedes the first evaluation.

    Args:
      config: numbers of passes and evaluations.
      steps: most steps of the whole training.
    """
    intervals = config.epochs * config.evaluations_per_epoch
    return max(1, min(_WARM_UP, steps // (2 * intervals)))
