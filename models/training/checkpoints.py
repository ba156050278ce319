"""Checkpoints of one folder, named by step; several workers write them together."""

import glob
import os
import re
from collections.abc import Collection

import tensorflow as tf

from models.training import distribution

_INDEX = re.compile(r"step-(\d+)\.index")


class StepCheckpoints:
    """Writes, lists, checks and removes the checkpoints of a folder.

    Args:
      folder: created by the first write.
      checkpoint: what is written and read.
    """

    def __init__(self, folder: str, checkpoint: tf.train.Checkpoint) -> None:
        self._folder, self._own = folder, distribution.own_folder(folder)
        self._checkpoint = checkpoint

    def steps(self) -> list[int]:
        """Returns the steps of which there is a checkpoint, whole or not, ascending."""
        return self._steps_in(self._folder)

    def write(self, step: int) -> None:
        """Writes the checkpoint of a step, over one that is there."""
        self._checkpoint.write(self._path(step, self._own))

    def read(self, step: int) -> None:
        """Restores what the checkpoint of a step holds.

        Raises:
          AssertionError: it does not hold all of it.
        """
        self._checkpoint.read(self._path(step)).assert_existing_objects_matched()

    def problem(self, step: int) -> str | None:
        """Reads every tensor of a checkpoint, which checks their checksums.

        Returns:
          What is wrong with it, or None.
        """
        try:
            reader = tf.train.load_checkpoint(self._path(step))
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
        # The reader raises these, or the Python error that it takes their code for.
        except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
            return str(error).splitlines()[0]
        return None

    def keep(self, steps: Collection[int]) -> None:
        """Removes the checkpoints of all other steps."""
        for step in set(self._steps_in(self._own)) - set(steps):
            # The index first: a checkpoint without one is none.
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
