"""Checkpoints in one folder, named by step; several workers write them together.

Not `tf.train.CheckpointManager`: it numbers checkpoints by itself and keeps the newest ones, while
a training state keeps the checkpoints of chosen steps and verifies them before it restores one.
"""

import glob
import os
import re
from collections.abc import Collection

import tensorflow as tf

from models.training import distribution

_INDEX = re.compile(r"step-(\d+)\.index")


class StepCheckpoints:
    """Writes, lists, verifies and removes the checkpoints of a folder.

    Args:
      folder: created by the first write.
      checkpoint: the objects to write and read.
    """

    def __init__(self, folder: str, checkpoint: tf.train.Checkpoint) -> None:
        self._folder, self._own = folder, distribution.own_folder(folder)
        self._checkpoint = checkpoint

    def steps(self) -> list[int]:
        """Returns the steps that have a checkpoint, intact or damaged, ascending."""
        return self._steps_in(self._folder)

    def write(self, step: int) -> None:
        """Writes the checkpoint of a step and replaces an earlier one of that step."""
        self._checkpoint.write(self._path(step, self._own))

    def read(self, step: int) -> None:
        """Restores the checkpoint of a step.

        Raises:
          AssertionError: the checkpoint lacks a value of an object.
        """
        self._checkpoint.read(self._path(step)).assert_existing_objects_matched()

    def problem(self, step: int) -> str | None:
        """Reads every tensor of a checkpoint, which verifies their checksums.

        Returns:
          A message if the checkpoint is damaged, else None.
        """
        try:
            reader = tf.train.load_checkpoint(self._path(step))
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
        # The reader raises these errors, or Python's counterparts of their codes.
        except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
            return str(error).splitlines()[0]
        return None

    def keep(self, steps: Collection[int]) -> None:
        """Removes the checkpoints of all other steps."""
        for step in set(self._steps_in(self._own)) - set(steps):
            # Index files sort last, so they go first: without its index a checkpoint is not listed.
            pattern = f"{glob.escape(self._path(step, self._own))}.*"
            for path in sorted(glob.glob(pattern), reverse=True):
                os.remove(path)

    @staticmethod
    def _steps_in(folder: str) -> list[int]:
        names = os.listdir(folder) if os.path.isdir(folder) else []
        found = [_INDEX.fullmatch(name) for name in names]
        return sorted(int(match[1]) for match in found if match)

    def _path(self, step: int, folder: str | None = None) -> str:
        return os.path.join(folder or self._folder, f"step-{step}")
