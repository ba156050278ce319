"""Hides log lines of TensorFlow and Beam that no user needs.

TensorFlow reads its log level when it is imported, so this runs when `pipeline` is imported.
"""

import logging
import os

from absl import logging as absl_logging

_NOISE = (
    "apitools not found",
    "Discarding unparseable args",
    "Sharding callback duration",
    "Writing fingerprint to",
)


def select() -> None:
    """Hides TensorFlow's start-up messages and needless warnings."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    root = logging.getLogger()
    for target in (root, absl_logging.get_absl_handler()):
        if not any(isinstance(present, _NoiseFilter) for present in target.filters):
            target.addFilter(_NoiseFilter())
    logging.getLogger("apache_beam").setLevel(logging.ERROR)


class _NoiseFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not any(noise in record.getMessage() for noise in _NOISE)


select()
