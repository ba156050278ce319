"""One optimizer per group of variables."""

import functools

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from features.errors import UserInputError
from models.ranking_model import RankingModel
from models.training import distribution
from models.training.config import TableOptimizer, TrainingConfig
from models.training.lazy_adam import LazyAdam

_LAST_SHARE = 0.05
_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "lazy_adam": LazyAdam,
    "adagrad": keras.optimizers.Adagrad,
}


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
      steps: steps of the whole training, over which step sizes decay.

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
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Returns the step size, or its schedule over the optimizer's checkpointed step count."""
    if config.learning_rate_decay == "none":
        return start
    return keras.optimizers.schedules.PolynomialDecay(start, steps, _LAST_SHARE * start)
