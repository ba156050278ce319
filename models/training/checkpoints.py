"""Checkpoints in one folder, named by step; several workers write them together.

Not `tf.train.CheckpointManager`: it numbers checkpoints by itself and keeps the newest ones, while
a training state keeps the checkpoints of chosen steps and verifies them before it restores one.
"""

import glob
import json
import os
import re
import shutil
from collections.abc import Collection
from typing import Any

import tensorflow as tf

from features.files import staging, storage
from models.training import distribution
from models.training.json_state import JsonState

_INDEX = re.compile(r"step-(\d+)\.index")

# TensorFlow writes to `step-7_temp/`, renames the data from there and writes the index last.
_BEFORE_INDEX = re.compile(r"step-(\d+)(_temp|\.data-\d{5}-of-\d{5})")

_STAMP, _JSON = "stamp", ".ATTRIBUTES/py_state"


class StepCheckpoints:
    """Writes, lists, verifies and removes the checkpoints of a folder.

    Each has a stamp, the training and the step that it was written at, so that another one does
    not pass under its name. Checkpoints of earlier versions have none.

    Args:
      folder: created by the first write; its parent's name is that of the training.
      checkpoint: the objects to write and read.
    """

    def __init__(self, folder: str, checkpoint: tf.train.Checkpoint) -> None:
        self._folder, self._own = folder, distribution.own_folder(folder)
        self._training = os.path.basename(os.path.dirname(os.path.abspath(folder)))
        self._stamp = JsonState()
        self._checkpoint = checkpoint
        self._stamped = tf.train.Checkpoint(root=checkpoint, **{_STAMP: self._stamp})

    def steps(self) -> list[int]:
        """Returns the steps that have a checkpoint, intact or damaged, ascending."""
        return self._steps_in(self._folder)

    def write(self, step: int) -> None:
        """Writes the checkpoint of a step, also to the disk, and replaces an earlier one of it."""
        self._remove_unfinished()
        self._stamp.values = {"training": self._training, "step": step}
        self._stamped.write(self._path(step, self._own))
        for path in self._files(step, self._own):
            staging.sync(path)
        staging.sync(self._own)

    def read(self, step: int) -> None:
        """Restores the checkpoint of a step.

        Raises:
          AssertionError: the checkpoint lacks a value of an object.
        """
        status = self._checkpoint.read(self._path(step))
        status.expect_partial()  # The stamp is no object of the reader's.
        status.assert_existing_objects_matched()

    def problem(self, step: int) -> str | None:
        """Reads every tensor of a checkpoint, which verifies their checksums, and its stamp.

        Returns:
          A message if the checkpoint is damaged or another one, else None.

        Raises:
          OSError: a file cannot be read.
        """
        try:
            reader = tf.train.load_checkpoint(self._path(step))
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
            stamp = self.values(step, _STAMP)
        # The reader raises these errors, or Python's counterparts of their codes.
        except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
            # What the disk or its rights keep from being read is not damaged.
            for path in self._files(step, self._folder):
                for _ in storage.chunks(path):
                    pass
            return str(error).splitlines()[0]
        expected = {"training": self._training, "step": step}
        return f"it is of {stamp}, expected {expected}" if stamp not in ({}, expected) else None

    def values(self, step: int, name: str) -> dict[str, Any]:
        """Returns the values of a `JsonState` of a checkpoint; none if it has no such object."""
        reader, key = tf.train.load_checkpoint(self._path(step)), f"{name}/{_JSON}"
        return dict(json.loads(reader.get_tensor(key))) if reader.has_tensor(key) else {}

    def keep(self, steps: Collection[int]) -> None:
        """Removes the checkpoints of all other steps, and what a killed write left."""
        for step in set(self._steps_in(self._own)) - set(steps):
            # Index files sort last, so they go first: without its index a checkpoint is not listed.
            for path in sorted(self._files(step, self._own), reverse=True):
                os.remove(path)
        self._remove_unfinished()

    def _remove_unfinished(self) -> None:
        complete = set(self._steps_in(self._own))
        for name in os.listdir(self._own) if os.path.isdir(self._own) else []:
            match, path = _BEFORE_INDEX.fullmatch(name), os.path.join(self._own, name)
            if match and match[2] == "_temp":
                shutil.rmtree(path)
            elif match and int(match[1]) not in complete:
                os.remove(path)

    def _files(self, step: int, folder: str) -> list[str]:
        return glob.glob(f"{glob.escape(self._path(step, folder))}.*")

    @staticmethod
    def _steps_in(folder: str) -> list[int]:
        names = os.listdir(folder) if os.path.isdir(folder) else []
        found = [_INDEX.fullmatch(name) for name in names]
        return sorted(int(match[1]) for match in found if match)

    def _path(self, step: int, folder: str | None = None) -> str:
        return os.path.join(folder or self._folder, f"step-{step}")
