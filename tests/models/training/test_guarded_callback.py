"""A callback that fails gets no more events, and the training goes on."""

import tf_keras as keras
from absl import logging

from models.training.guarded_callback import GuardedCallback


class Recorder(keras.callbacks.Callback):
    def __init__(self, fails_at=None):
        super().__init__()
        self.events, self.fails_at = [], fails_at

    def _event(self, *event):
        self.events.append(event)
        if event[0] == self.fails_at:
            raise RuntimeError("the disk is full\nand more")

    def set_model(self, model):
        self._event("set_model", model)

    def on_train_begin(self, logs=None):
        self._event("on_train_begin")

    def on_epoch_begin(self, epoch, logs=None):
        self._event("on_epoch_begin", epoch)

    def on_train_batch_end(self, batch, logs=None):
        self._event("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._event("on_epoch_end", epoch, logs)

    def on_train_end(self, logs=None):
        self._event("on_train_end")


EVENTS = [
    ("set_model", "a model"),
    ("on_train_begin",),
    ("on_epoch_begin", 0),
    ("on_train_batch_end", 0, {"loss": 1.0}),
    ("on_epoch_end", 0, {"auc": 0.5}),
    ("on_train_end",),
]


def watched(recorder):
    guarded = GuardedCallback("TensorBoard", recorder)
    for event, *arguments in EVENTS:
        getattr(guarded, event)(*arguments)
    return recorder.events


def test_every_event_of_the_training_arrives():
    assert watched(Recorder()) == EVENTS


def test_after_a_failure_no_event_arrives_and_one_warning_names_it(caplog):
    caplog.set_level(logging.WARNING)
    for place, (event, *_) in enumerate(EVENTS):
        caplog.clear()
        assert watched(Recorder(event)) == EVENTS[: place + 1]
        (record,) = caplog.records
        message = record.getMessage()
        assert message.startswith("Left out: TensorBoard from here on (RuntimeError in test_")
        assert message.endswith(": the disk is full).")
