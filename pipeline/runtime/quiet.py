"""Hides log lines of TensorFlow and Beam that no user needs.

What TensorFlow logs of its own start is hidden by `features.tensorflow_log`.
"""

import logging

from absl import logging as absl_logging

from features import tensorflow_log as _tensorflow_log  # noqa: F401  Must precede TensorFlow.

_NOISE = (
    "apitools not found",
    "Discarding unparseable args",
    "Sharding callback duration",
    "Writing fingerprint to",
    # Beam raises what it logs with these, and the entry point says it.
    "[while running '",
    "Error processing instruction",
)


def _is_wanted(record: logging.LogRecord) -> bool:
    return not any(noise in record.getMessage() for noise in _NOISE)


for _target in (logging.getLogger(), absl_logging.get_absl_handler()):
    _target.addFilter(_is_wanted)
logging.getLogger("apache_beam").setLevel(logging.ERROR)
