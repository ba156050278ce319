"""Averages of the weights over the last steps, which are evaluated and kept in their place."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from models.ranking_model import RankingModel
from models.training.steps import Steps

_UPDATES = 16
"""Updates between two evaluations, however many steps these are."""


def steps_between_updates(steps_per_evaluation: int) -> int:
    """Returns the steps between two updates of the averages."""
    return max(1, steps_per_evaluation // _UPDATES)


class WeightAverages(tf.Module):
    """Averages of a model's trainable variables, with weights that fall polynomially to the past.

    At a constant learning rate the last weights are off by the noise of the last batches. The
    average is not, and needs no known end of the training, as a decaying rate does. The t-th update
    is, with the current weights w,

        average <- average + (eta + 1) / (t + eta) (w - average)

    so that w_t counts with about t^eta: half of the average is of the last 1 - 2^(-1 / (eta + 1))
    of all updates, the last 7% at eta = 8, however long the training is (Shamir and Zhang,
    "Stochastic Gradient Descent for Non-smooth Optimization", ICML 2013). What a step does not
    train, such as vocabulary, statistics and random generators, is not averaged.

    An update passes over all variables, large tables too, so not every step has one: neighboring
    weights hardly differ. When it is due depends on the step alone, so a resumed training goes on
    as if it had not stopped.

    Args:
      model: its variables must exist; created in the same strategy's scope.
      eta: the power; 0 weighs all steps alike.
      every: steps between two updates.
    """

    def __init__(self, model: RankingModel, eta: float, every: int) -> None:
        super().__init__()
        self._eta = eta
        self._every = every
        strategy = tf.distribute.get_strategy()
        # A list of its own: a module would track the model's variables as its own, too.
        self._weights = lambda: model.trainable_variables
        self.averages: list[tf.Variable] = []
        for weight in model.trainable_variables:
            with strategy.extended.colocate_vars_with(weight):
                # The first update replaces it, exactly because it is zero.
                zeros = tf.zeros(weight.shape, weight.dtype)
                self.averages.append(tf.Variable(zeros, trainable=False, name="average"))

        def move(average: tf.Variable, weight: tf.Variable, share: tf.Tensor) -> tf.Operation:
            return average.assign_add(tf.cast(share, average.dtype) * (weight - average))

        @tf.function(autograph=False)
        def update(share: tf.Tensor) -> None:
            for average, weight in zip(self.averages, self._weights(), strict=True):
                strategy.extended.update(average, move, args=(weight, share))

        self._update = update

    def after_step(self, step: int, steps: Steps) -> None:
        """Updates the averages where the step is one of those that do.

        Args:
          step: number of steps taken, over all passes.
          steps: what took them.
        """
        number, rest = divmod(step, self._every)
        if not rest:
            share = (self._eta + 1) / (number + self._eta)
            steps.call(self._update, tf.constant(share, tf.float32))

    @contextlib.contextmanager
    def in_place(self, step: int) -> Iterator[None]:
        """Gives the model the averages within the block, and its weights back after it.

        All steps must be finished. Before the first update there are no averages.

        Args:
          step: number of steps taken.
        """
        if step < self._every:
            yield
            return
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        # One by one, so that there is one copy of one table and not of all.
        for average, weight in zip(self.averages, self._weights(), strict=True):
            value = tf.identity(weight)
            weight.assign(average)
            average.assign(value)
