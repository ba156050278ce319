"""The transform that writes parts: rows computed by the model, rows copied from earlier parts."""

import dataclasses
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np

from features.errors import UserInputError
from features.files import storage
from features.files.local_copy import local_copy
from features.files.mapped_arrays import map_array, write_array
from features.ids import id_table
from pipeline.catalog_backfill import cache_folder, cache_part
from pipeline.catalog_backfill.cache_folder import CacheFolder
from pipeline.catalog_backfill.cache_plan import NewPart
from serving_signatures.client import cache_parts
from serving_signatures.client.cache_parts import ITEM_ID, DamagedPartError

_PROJECTORS: dict[tuple[str, int], Any] = {}
_LOADING = threading.Lock()


def projector(saved_model: str, batch_size: int) -> Any:
    """Returns the `Projector` of a process, which all its threads and steps share.

    A large model is most of a backfill's memory.

    Args:
      saved_model: a version's folder.
      batch_size: items per call.
    """
    # TensorFlow is imported by those who compute; a dry run does without.
    from pipeline.catalog_backfill.projector import Projector

    with _LOADING:
        key = (saved_model, batch_size)
        if key not in _PROJECTORS:
            _PROJECTORS[key] = Projector(saved_model, batch_size)
        return _PROJECTORS[key]


def forget_projector() -> None:
    """Forgets the model of this process: the folder may hold another one next time."""
    _PROJECTORS.clear()


@dataclasses.dataclass(frozen=True)
class PartTask:
    """A part to write, for a worker; its arrays lie in the work folder.

    Attributes:
      folder: the cache.
      tag: what its rows depend on.
      work: folder of the arrays.
      key: of the part, see `NewPart.key`.
      modalities: whose vectors are among the arrays.
      reads: entries of the earlier parts to copy from.
    """

    folder: CacheFolder
    tag: str
    work: str
    key: str
    modalities: tuple[str, ...]
    reads: tuple[Mapping[str, Any], ...]


def save_task(
    folder: CacheFolder,
    work: str,
    tag: str,
    part: NewPart,
    quantized: Mapping[str, np.ndarray],
) -> PartTask:
    """Writes a part's arrays where workers map them, and returns its task.

    Args:
      folder: the cache.
      work: for the arrays.
      tag: what the rows depend on.
      part: what to write.
      quantized: vectors of the rows to compute, by modality; empty where the model holds them.
    """
    key = part.key(folder.cache, tag)
    arrays = {"item_ids": part.item_ids, "sources": part.sources, "computed": part.computed}
    arrays |= {f"quantized/{name}": values for name, values in quantized.items()}
    for name, array in arrays.items():
        write_array(storage.join(work, key), name, array)
    return PartTask(folder, tag, work, key, tuple(quantized), part.reads)


class WriteParts(beam.PTransform):
    """Turns `PartTask`s into parts, each with a note that it is done.

    Args:
      saved_model: a version's folder.
      batch_size: items per call of the model.
    """

    def __init__(self, saved_model: str, batch_size: int):
        super().__init__()
        self._saved_model, self._batch_size = saved_model, batch_size

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        return (
            tasks
            | "SpreadOverWorkers" >> beam.Reshuffle()
            | "WritePart" >> beam.ParDo(_WritePart(self._saved_model, self._batch_size))
        )


class _WritePart(beam.DoFn):
    def __init__(self, saved_model: str, batch_size: int):
        self._saved_model, self._batch_size = saved_model, batch_size

    def process(self, task: PartTask) -> Iterator[str]:
        try:
            note: dict[str, object] = {"entry": self._write(task)}
        except UserInputError as error:
            note = {"error": str(error)}
        task.folder.write_note(task.key, note)
        yield task.key

    def _write(self, task: PartTask) -> dict[str, object]:
        arrays = os.path.join(local_copy(task.work), task.key)
        item_ids, sources, computed = (
            map_array(arrays, name) for name in ("item_ids", "sources", "computed")
        )
        columns = self._computed(task, arrays, item_ids[computed], computed)
        copied = 0
        for part in task.reads:
            copied += _copy(task, part, item_ids, ~computed, columns)
        if copied != np.sum(~computed):
            raise DamagedPartError(
                f"{task.folder.path!r}: {task.reads} hold {copied} of {np.sum(~computed)} rows to "
                f"keep. {cache_folder.RECOMPUTE}"
            )
        data = cache_part.encode(task.folder.cache, task.tag, item_ids, sources, columns)
        entry = cache_part.entry(data, len(item_ids))
        storage.write_bytes(cache_parts.path_of(task.folder.path, entry), data)
        return entry

    def _computed(
        self, task: PartTask, arrays: str, item_ids: np.ndarray, computed: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Returns columns of all rows, lists flat; only the rows to compute are filled."""
        if not len(item_ids):
            return {}
        quantized = {name: map_array(arrays, f"quantized/{name}") for name in task.modalities}
        model = projector(self._saved_model, self._batch_size)
        values = model.compute(task.folder.cache, task.tag, item_ids, quantized)
        columns = {}
        for name, some in values.items():
            flat = some.reshape(len(some), -1) if some.ndim > 1 else some
            columns[name] = np.zeros((len(computed), *flat.shape[1:]), flat.dtype)
            columns[name][computed] = flat
        return columns


def _copy(
    task: PartTask,
    part: Mapping[str, Any],
    item_ids: np.ndarray,
    wanted: np.ndarray,
    columns: dict[str, np.ndarray],
) -> int:
    """Fills the wanted rows that an earlier part holds, and returns how many those are.

    Raises:
      DamagedPartError: it cannot be read, or has other columns than the model.
    """
    table = cache_parts.read(task.folder.path, part, task.tag)
    own = id_table.positions(item_ids, table[ITEM_ID].to_numpy())
    rows = np.flatnonzero(wanted & (own < len(table)))
    outputs = {
        name: cache_parts.flat_values(table[name])
        for name in table.column_names
        if name not in (ITEM_ID, cache_part.SOURCE)
    }
    if not columns:
        for name, values in outputs.items():
            columns[name] = np.zeros((len(item_ids), *values.shape[1:]), values.dtype)
    if set(outputs) != set(columns):
        raise DamagedPartError(
            f"{part['file']} has the outputs {sorted(outputs)}, expected {sorted(columns)}. "
            f"{cache_folder.RECOMPUTE}"
        )
    for name, values in outputs.items():
        columns[name][rows] = values[own[rows]]
    return len(rows)
