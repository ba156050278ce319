"""Refusing times in another unit before the join starts, by the first times of a file."""

import numpy as np

from features import time_units
from features.embeddings import availability
from features.embeddings.embedding_files import EmbeddingFiles
from features.errors import UserInputError
from pipeline.join.rules import splits

_AVAILABLE_AT = (
    f"Write {availability.AVAILABLE_AT} in microseconds, also where the log has another unit, or "
    "as a timestamp column; or ingest the set first: pipeline.ingest_embeddings "
    "--available_at_unit {unit}."
)


def check_timestamps(times: np.ndarray, unit: str, path: str, flag: str = "events") -> None:
    """Refuses a log whose `timestamp` fits another unit than `--timestamp_unit`.

    Args:
      times: `[N]` int64, some timestamps of the file.
      unit: the one given.
      path: of the file.
      flag: the one that named it.

    Raises:
      UserInputError: names the unit that fits. Small numbers fit none and pass.
    """
    fitting = time_units.fitting_unit(times, unit)
    if fitting is None:
        return
    advice = f"Give --timestamp_unit {fitting}"
    if fitting not in splits.MICROSECONDS:
        advice = f"Write them in {', '.join(splits.MICROSECONDS)}, and give --timestamp_unit"
    problem = time_units.misfit(times, unit, fitting)
    raise UserInputError(f"--{flag}: {path!r}: column 'timestamp': {problem}. {advice}.")


def check_available_at(modality: str, files: EmbeddingFiles, log_times: np.ndarray) -> None:
    """Refuses an embedding set whose `available_at` fits another unit than microseconds.

    Args:
      modality: for messages.
      files: of the set.
      log_times: `[N]` int64 microseconds, some of the log's. Where these lie outside of any
        calendar, as numbers made for a test do, the set's may too.

    Raises:
      UserInputError: names file and unit.
    """
    if len(log_times) and not time_units.fits(log_times, "us"):
        return
    for path in files.paths:
        try:
            availability.check_unit(path, "us", _AVAILABLE_AT)
        except UserInputError as error:
            raise UserInputError(f"--embeddings {modality}: {error}") from error
