"""JSON values within a checkpoint, so that they are consistent with its tensors."""

import json
from typing import Any

import tensorflow as tf


class JsonState(tf.train.experimental.PythonState):
    """JSON values that a checkpoint holds beside tensors.

    Attributes:
      values: to write, or as they were read.
    """

    values: dict[str, Any]

    def serialize(self) -> str:
        """Returns the values as text."""
        return json.dumps(self.values)

    def deserialize(self, string_value: str) -> None:
        """Takes the values from the text."""
        self.values = json.loads(string_value)
