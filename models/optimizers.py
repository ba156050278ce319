"""One optimiser per group of variables."""

import tensorflow_recommenders as tfrs
import tf_keras as keras

from models.ranking_model import RankingModel
from models.training_config import TrainingConfig


def build_optimizer(model: RankingModel, config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Returns the optimiser of a built model.

    The bucket tables start at a saddle and want a larger step than the rest (DESIGN section
    11), so they have an Adam of their own.

    Args:
      model: its variables must exist.
      config: which optimiser and step sizes.
    """
    kind = {"adam": keras.optimizers.Adam, "adagrad": keras.optimizers.Adagrad}[config.optimizer]
    buckets = model.bucket_variables()
    names = {id(variable) for variable in buckets}
    rest = [variable for variable in model.trainable_variables if id(variable) not in names]
    groups = [(kind(config.learning_rate), lambda: rest)]
    if buckets:
        groups.append((keras.optimizers.Adam(config.bucket_learning_rate), lambda: buckets))
    return tfrs.experimental.optimizers.CompositeOptimizer(groups)
