"""A callback that cannot end the training that it watches."""

from collections.abc import Mapping
from typing import Any

import tf_keras as keras

from models.evaluation import diagnostics


class GuardedCallback(keras.callbacks.Callback):
    """Passes a training's events on, until the callback fails: then no more, with one warning.

    Args:
      name: what the callback shows, for the warning.
      callback: a Keras callback.
    """

    def __init__(self, name: str, callback: keras.callbacks.Callback) -> None:
        super().__init__()
        self._name = name
        self._callback = callback
        self._failed = False

    def set_model(self, model: keras.Model) -> None:
        """Says which model is trained."""
        super().set_model(model)
        self._pass_on("set_model", model)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Passes on the begin of the training."""
        self._pass_on("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Passes on the begin of an interval."""
        self._pass_on("on_epoch_begin", epoch, logs)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Passes on the end of a step."""
        self._pass_on("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Passes on the end of an interval, with its metrics."""
        self._pass_on("on_epoch_end", epoch, logs)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Passes on the end of the training."""
        self._pass_on("on_train_end", logs)

    def _pass_on(self, event: str, *arguments: Any) -> None:
        if self._failed:
            return
        handler = getattr(self._callback, event)
        self._failed = not diagnostics.attempt(
            f"{self._name} from here on", lambda: handler(*arguments) or True, False
        )
