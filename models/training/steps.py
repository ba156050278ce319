"""Training steps: synchronous, or scheduled on the workers of a parameter server cluster."""

import collections
from collections.abc import Iterator
from typing import Any, Protocol

import tensorflow as tf

from models.inputs.batch import Batch
from models.ranking_model import RankingModel
from models.training import distribution


class Steps(Protocol):
    """Takes steps of training and of evaluation."""

    def iterate(self, batches: tf.data.Dataset) -> Iterator[Any]:
        """Returns an iterator for `train` and `evaluate`."""

    def train(self, batches: Iterator[Any]) -> float | None:
        """Takes a step on the next batch; returns the loss of a finished step, or None."""

    def call(self, function: Any, argument: tf.Tensor) -> None:
        """Calls a `tf.function` on variables after the steps so far, or among the last of them."""

    def evaluate(self, batches: Iterator[Any]) -> None:
        """Updates the metrics by the next batch."""

    def finish(self) -> list[float]:
        """Waits for all scheduled steps; returns the losses that were not returned yet."""


class SynchronousSteps:
    """Steps of this process, or of all workers of a synchronous strategy together.

    Args:
      model: a compiled model.
    """

    def __init__(self, model: RankingModel) -> None:
        self._train, self._evaluate = model.make_train_function(), model.make_test_function()

    def iterate(self, batches: tf.data.Dataset) -> Iterator[Any]:
        """Returns an iterator over this worker's shares of the batches."""
        return iter(distribution.shares(batches))

    def train(self, batches: Iterator[Any]) -> float:
        """Takes a step on the next batch and returns its loss."""
        return float(self._train(batches)["loss"])

    def call(self, function: Any, argument: tf.Tensor) -> None:
        """Calls the function."""
        function(argument)

    def evaluate(self, batches: Iterator[Any]) -> None:
        """Updates the metrics by the next batch."""
        self._evaluate(batches)

    def finish(self) -> list[float]:
        """No-op: steps are synchronous."""
        return []


class ParameterServerSteps:
    """Asynchronous steps of workers, each with the current values of the variables.

    The coordinator reads the records and schedules every batch on the next free worker, so each is
    trained on once per pass. A batch whose worker is lost is scheduled again.

    Args:
      model: compiled in the strategy's scope.
      strategy: the cluster's.
      in_flight: largest number of scheduled batches that are not finished.
    """

    def __init__(
        self,
        model: RankingModel,
        strategy: tf.distribute.ParameterServerStrategy,
        in_flight: int,
    ) -> None:
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        self._in_flight = in_flight
        self._losses: collections.deque[tf.distribute.coordinator.RemoteValue] = collections.deque()

        @tf.function(autograph=False, reduce_retracing=True)
        def train(batch: Batch) -> tf.Tensor:
            return strategy.run(model.train_step, (batch,))["loss"]

        @tf.function(autograph=False, reduce_retracing=True)
        def evaluate(batch: Batch) -> tf.Tensor:
            return strategy.run(model.test_step, (batch,))["loss"]

        self._train, self._evaluate = train, evaluate

    def iterate(self, batches: tf.data.Dataset) -> Iterator[Batch]:
        """Returns an iterator over whole batches, which this process reads."""
        return iter(batches)

    def train(self, batches: Iterator[Batch]) -> float | None:
        """Schedules the next batch; returns the loss of the oldest one if the queue was full."""
        return self._schedule(self._train, next(batches))

    def call(self, function: Any, argument: tf.Tensor) -> None:
        """Schedules the function on a worker."""
        self._coordinator.schedule(function, args=(argument,))

    def evaluate(self, batches: Iterator[Batch]) -> None:
        """Schedules the next batch."""
        self._schedule(self._evaluate, next(batches))

    def finish(self) -> list[float]:
        """Waits for all scheduled batches, and returns their losses."""
        self._coordinator.join()
        losses = [float(loss.fetch()) for loss in self._losses]
        self._losses.clear()
        return losses

    def _schedule(self, function: Any, batch: Batch) -> float | None:
        loss = None
        if len(self._losses) == self._in_flight:
            loss = float(self._losses.popleft().fetch())
        self._losses.append(self._coordinator.schedule(function, args=(batch,)))
        return loss


def steps_of(model: RankingModel) -> Steps:
    """Returns the steps of the current strategy."""
    strategy = tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.ParameterServerStrategy):
        return ParameterServerSteps(model, strategy, distribution.batches_in_flight())
    return SynchronousSteps(model)
