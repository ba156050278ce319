"""The training loop: steps and evaluations, from a restored state to the end."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.inputs import candidate_weights, input_pipeline
from models.ranking_model import RankingModel
from models.training import budget, distribution, steps
from models.training.averages import WeightAverages
from models.training.budget import Stopped
from models.training.config import TrainingConfig
from models.training.passes import TrainingInput
from models.training.state import TrainingState

_TRAIN, _VALIDATION = "train", "validation"


class StoppedError(Exception):
    """Training stopped on request; its state is saved."""


class NonFiniteLossError(Exception):
    """The loss of a step is not finite; the last saved state precedes it."""


class TrainingLoop:
    """Trains in intervals of equally many steps, each followed by an evaluation.

    The averages of the weights are evaluated and kept where there are any, else the weights.

    The state is saved before each evaluation, every `config.checkpoint_seconds`, and when a stop
    is requested. All later steps depend on the state alone, so a resumed run equals an
    uninterrupted one.

    Args:
      model: a compiled model.
      data: the training batches, and the data set with the validation split.
      config: numbers of passes and evaluations, early stopping, bounds, checkpoint interval.
      averages: of the model's weights; None for none.
      callbacks: Keras callbacks, for which an interval is an epoch. They receive begin and end of
        the training and of each epoch, and the end of every batch.
      stop_requested: called after every batch.
      clock: returns seconds, ascending.
    """

    def __init__(
        self,
        model: RankingModel,
        data: TrainingInput,
        config: TrainingConfig,
        averages: WeightAverages | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        stop_requested: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._data = model, data
        self._config, self._stop_requested = config, stop_requested
        self._averages, self._callbacks, self._clock = averages, callbacks, clock
        for callback in callbacks:
            callback.set_model(model)
        self._steps = steps.steps_of(model)
        self._batches: Iterator[Any] | None = None
        self._held_out: tf.data.Dataset | None = None
        self._begin = 0.0

    def run(self, state: TrainingState) -> Stopped:
        """Trains from a state to the end.

        Returns:
          Why it ended.

        Raises:
          StoppedError: a stop was requested.
          NonFiniteLossError: at a step.
          UserInputError: a shard was replaced since it was compared with the manifest.
        """
        self._begin = self._clock() - state.seconds
        self._notify("on_train_begin")
        while (stopped := self._end(state)) is None:
            place = len(state.history)
            self._notify("on_epoch_begin", place)
            self._train(state, place * self._data.steps_per_evaluation)
            self._save(state)
            figures = self._figures()
            averages = self._averages
            with averages.in_place(state.step) if averages else contextlib.nullcontext():
                figures |= {f"val_{name}": value for name, value in self._evaluate().items()}
                state.add_evaluation(figures)
                self._notify("on_epoch_end", place, figures)
        self._notify("on_train_end")
        return stopped

    def _end(self, state: TrainingState) -> Stopped | None:
        # Step 0, because workers vote at every tenth step only.
        out_of_time = distribution.any_worker(self._out_of_time(), step=0)
        return budget.end_of(state.history, out_of_time, self._data, self._config)

    def _out_of_time(self) -> bool:
        return 0 < self._config.max_seconds <= self._clock() - self._begin

    def _train(self, state: TrainingState, begin: int) -> None:
        """Takes the steps of the interval that starts at `begin`, or those until a bound."""
        end = min(begin + self._data.steps_per_evaluation, self._data.steps)
        if state.step == begin:
            self._model.reset_metrics()
        per_pass, saved = self._data.batches_per_pass, self._clock()
        while state.step < end:
            # A new pass, or the rest of the pass in which a restored state was saved.
            if self._batches is None or state.step % per_pass == 0:
                self._batches = self._steps.iterate(self._data.after(state.step))
            loss = self._steps.train(self._batches)
            _check([] if loss is None else [loss], state.step)
            state.step += 1
            if self._averages is not None:
                self._averages.after_step(state.step, self._steps)
            logs = {} if loss is None else {"loss": loss}
            self._notify("on_train_batch_end", state.step - begin - 1, logs)
            if distribution.any_worker(self._stop_requested(), state.step):
                self._save(state)
                raise StoppedError
            if distribution.any_worker(self._out_of_time(), state.step):
                return
            overdue = self._clock() - saved >= self._config.checkpoint_seconds
            if distribution.any_worker(overdue, state.step):
                self._save(state)
                saved = self._clock()

    def _save(self, state: TrainingState) -> None:
        _check(self._steps.finish(), state.step)
        # A state of records that were replaced meanwhile must not be resumed.
        self._data.examples.shards(_TRAIN)
        state.seconds = self._clock() - self._begin
        state.save()

    def _evaluate(self) -> dict[str, float]:
        """Returns the metrics of the validation split."""
        self._model.reset_metrics()
        examples = self._data.examples
        if self._held_out is None:
            # Once: tracing how records are parsed takes longer than reading a small split.
            batches = input_pipeline.evaluation_batches(examples, _VALIDATION)
            self._held_out = candidate_weights.of_whole_log(batches, examples, _VALIDATION)
        examples.shards(_VALIDATION)  # Those that the manifest describes, still.
        batches = self._steps.iterate(self._held_out)
        for number in range(input_pipeline.count_batches(examples, _VALIDATION)):
            self._steps.evaluate(batches)
            if distribution.any_worker(self._stop_requested(), number):
                raise StoppedError
        self._steps.finish()
        return self._figures()

    def _figures(self) -> dict[str, float]:
        """Returns the current values of the metrics."""
        # AutoGraph would take a second to convert Keras' area, in which nothing is to be converted.
        results = tf.autograph.experimental.do_not_convert(self._model.get_metrics_result)()
        return {name: float(value) for name, value in results.items()}

    def _notify(self, event: str, *arguments: Any) -> None:
        # Not keras.callbacks.CallbackList, which also logs warnings about slow callbacks.
        for callback in self._callbacks:
            getattr(callback, event)(*arguments)


def _check(losses: Sequence[float], step: int) -> None:
    for loss in losses:
        if not math.isfinite(loss):
            raise NonFiniteLossError(f"The loss at step {step} is {loss}.")
