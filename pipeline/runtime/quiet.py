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


def _is_wanted(record: logging.LogRecord) -> bool:
    return not any(noise in record.getMessage() for noise in _NOISE)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for _target in (logging.getLogger(), absl_logging.get_absl_handler()):
    _target.addFilter(_is_wanted)
logging.getLogger("apache_beam").setLevel(logging.ERROR)
