"""Flags of the request log of the development server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from absl import flags, logging

from features.errors import UserInputError
from pipeline.runtime.help_text import flag_group

if TYPE_CHECKING:
    from serving_signatures.request_logs.request_log import RequestLog

KEY_VARIABLE = "DMF_REDACTION_KEY"
"""The environment variable with the key of the hashes, which no command line shows."""

_FLAGS = flags.FLAGS


def define_log_flags() -> None:
    """Defines the flags."""
    with flag_group("Request log"):
        flags.DEFINE_string(
            "request_log", None, "`PLACE` Local folder to log calls to, as TFRecords."
        )
        flags.DEFINE_float("request_log_rate", 0.01, "`SHARE` Of the calls to log, above 0.", 0, 1)
        flags.DEFINE_integer("request_log_mib", 64, "`MIB` Largest size of a file of the log.", 1)
        flags.DEFINE_integer(
            "request_log_files", 16, "`COUNT` Most files of the log; the oldest is removed.", 1
        )
        flags.DEFINE_multi_string(
            "redact", [], "`NAME` Input that is logged as 0 or empty text, such as history_item_id."
        )
        flags.DEFINE_multi_string(
            "redact_by_hash",
            [],
            f"`NAME` Input that is logged as hashes under the key in ${KEY_VARIABLE}.",
        )


@contextmanager
def opened_log() -> Iterator["RequestLog | None"]:
    """Yields the log that the flags ask for, None for none, and closes it.

    Raises:
      UserInputError: the flags do not fit each other.
    """
    if _FLAGS.request_log is None:
        if _FLAGS.redact or _FLAGS.redact_by_hash:
            raise UserInputError("--redact and --redact_by_hash are of --request_log: give it.")
        yield None
        return
    from serving_signatures.request_logs.redaction import Redaction
    from serving_signatures.request_logs.request_log import RequestLog

    key = os.environ.get(KEY_VARIABLE, "").encode()
    try:
        log = RequestLog(
            _FLAGS.request_log,
            _FLAGS.request_log_rate,
            Redaction(_FLAGS.redact, _FLAGS.redact_by_hash, key),
            _FLAGS.request_log_mib << 20,
            _FLAGS.request_log_files,
        )
    except ValueError as error:
        hint = f" The key is read from ${KEY_VARIABLE}." if _FLAGS.redact_by_hash else ""
        raise UserInputError(f"--request_log: {error}{hint}") from error
    with log:
        yield log
    logging.info("Request log in %s: %s", _FLAGS.request_log, log.counts())
