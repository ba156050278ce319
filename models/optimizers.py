"""One optimiser per group of variables."""

import tensorflow_recommenders as tfrs
import tf_keras as keras

from models.lazy_adam import LazyAdam
from models.ranking_model import RankingModel
from models.training_config import TrainingConfig

_LAST_SHARE = 0.05
_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "lazy_adam": LazyAdam,
    "adagrad": keras.optimizers.Adagrad,
}


def build_optimizer(
    model: RankingModel, config: TrainingConfig, steps: int
) -> keras.optimizers.Optimizer:
    """Returns the optimiser of a built model.

    The bucket tables start at a saddle and want a larger step than the rest (DESIGN section
    11), so they have an Adam of their own.

    Args:
      model: its variables must exist.
      config: which optimiser and step sizes.
      steps: of the whole training, over which step sizes decay.
    """
    kind = _OPTIMIZERS[config.optimizer]
    buckets = model.bucket_variables()
    names = {id(variable) for variable in buckets}
    rest = [variable for variable in model.trainable_variables if id(variable) not in names]
    groups = [(kind(_step_size(config.learning_rate, config, steps)), lambda: rest)]
    if buckets:
        own = keras.optimizers.Adam(_step_size(config.bucket_learning_rate, config, steps))
        groups.append((own, lambda: buckets))
    # Slots that the first step created would make Keras trace that step a second time.
    for optimizer, variables in groups:
        optimizer.build(variables())
    return tfrs.experimental.optimizers.CompositeOptimizer(groups)


def _step_size(
    start: float, config: TrainingConfig, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Returns the step size, or its schedule over the optimiser's own, checkpointed, count."""
    if config.learning_rate_decay == "none":
        return start
    return keras.optimizers.schedules.PolynomialDecay(start, steps, _LAST_SHARE * start)
