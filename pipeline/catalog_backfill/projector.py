"""The SavedModel's projection signatures, called in batches of one size."""

from collections.abc import Mapping

import numpy as np

from features.errors import UserInputError
from features.files.local_copy import local_copy
from pipeline.catalog_backfill import backfill_inputs
from serving_signatures.names import CACHES
from serving_signatures.versions.loaded_version import LoadedVersion


class Projector:
    """A loaded model; one serves all threads of a process.

    Every call has the same shape, so that one plan of execution serves all and a row does not
    depend on how many others there are.

    Args:
      saved_model: a version's folder.
      batch_size: items per call.

    Raises:
      UserInputError: its files are not those that were exported.
    """

    def __init__(self, saved_model: str, batch_size: int):
        self._model = LoadedVersion.open(local_copy(saved_model))
        self._saved_model, self._batch_size = saved_model, batch_size

    @property
    def vocabulary(self) -> np.ndarray | None:
        """The item ids with a row of their own, `[N]` int64; None where ids are hashed."""
        return self._model.vocabulary()

    def compute(
        self, cache: str, tag: str, item_ids: np.ndarray, quantized: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Returns a cache's outputs without the tag, `[N, ...]` by name.

        Args:
          cache: its name, which is the signature's.
          tag: what the model's own tag must be.
          item_ids: `[N]` int64, N at least 1.
          quantized: `[N, M]` int8 by modality; empty where the model holds the vectors.

        Raises:
          UserInputError: the model is of another tag, or takes other inputs.
        """
        inputs = backfill_inputs.request_inputs(cache, item_ids, quantized)
        expected = set(self._model.inputs(cache))
        if set(inputs) != expected:
            raise UserInputError(
                f"{self._saved_model!r}: {cache} takes {sorted(expected)}, its manifest says "
                f"{sorted(inputs)}. Export the model again."
            )
        parts: list[dict[str, np.ndarray]] = []
        for begin in range(0, len(item_ids), self._batch_size):
            batch = {name: one[begin : begin + self._batch_size] for name, one in inputs.items()}
            count = len(next(iter(batch.values())))
            padded = {name: _padded(values, self._batch_size) for name, values in batch.items()}
            outputs = self._model.call(cache, padded)
            parts.append({name: one[:count] for name, one in outputs.items()})
        columns = {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}
        received = {value.decode() for value in columns.pop(CACHES[cache]).tolist()}
        if received != {tag}:
            raise UserInputError(
                f"{self._saved_model!r}: {cache} is of tag {', '.join(sorted(received))}, its "
                f"manifest says {tag}. Export the model again."
            )
        return columns


def _padded(values: np.ndarray, count: int) -> np.ndarray:
    return np.pad(values, [(0, count - len(values)), *[(0, 0)] * (values.ndim - 1)])
