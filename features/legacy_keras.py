"""Selects Keras 2 (`tf_keras`) for `tf.keras`, which tensorflow-recommenders needs.

TensorFlow reads `TF_USE_LEGACY_KERAS` when `tf.keras` is first used. Every package of this project
imports `features` first, so only this module sets it.
"""

import os
import sys


def select() -> None:
    """Makes `tf.keras` resolve to `tf_keras`.

    Raises:
      ImportError: `tf.keras` has already been resolved to Keras 3 in this process.
    """
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    if "tensorflow" not in sys.modules:
        return
    keras_package = sys.modules["tensorflow"].keras.Model.__module__
    if not keras_package.startswith("tf_keras"):
        raise ImportError(
            f"tf.keras already is {keras_package.split('.')[0]} (Keras 3), but "
            "tensorflow-recommenders needs Keras 2. Import this project before anything that "
            "touches tf.keras, or set TF_USE_LEGACY_KERAS=1 in the environment."
        )


select()
