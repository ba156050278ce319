"""Look-up tables of every worker: written once by the launcher, memory-mapped by workers."""

import dataclasses
import functools
import os

from features.embeddings.embedding_set import EmbeddingSet
from features.files.local_copy import local_copy
from features.files.mapped_arrays import map_array, write_array
from pipeline.tables.side_features import SideTable

_EMBEDDING_ARRAYS = ("item_ids", "quantized", "norms", "available_at")


@dataclasses.dataclass(frozen=True)
class Tables:
    """The look-up tables of a join.

    Attributes:
      embeddings: by modality.
      items: side features of items.
      users: side features of users.
    """

    embeddings: dict[str, EmbeddingSet]
    items: SideTable
    users: SideTable


def save(folder: str, tables: Tables) -> None:
    """Writes every array as a .npy file, for `load`."""
    for modality, embedding_set in tables.embeddings.items():
        for name in _EMBEDDING_ARRAYS:
            write_array(folder, f"embeddings/{modality}/{name}", getattr(embedding_set, name))
    for kind in ("items", "users"):
        table: SideTable = getattr(tables, kind)
        write_array(folder, f"{kind}/ids", table.ids)
        for name, values in table.values.items():
            write_array(folder, f"{kind}/values/{name}", values)


@functools.lru_cache(maxsize=2)
def load(folder: str) -> Tables:
    """Maps what `save` wrote; once per process, since each folder's name is used once."""
    folder = local_copy(folder)
    embeddings = {}
    for modality in _children(os.path.join(folder, "embeddings")):
        arrays = (map_array(folder, f"embeddings/{modality}/{name}") for name in _EMBEDDING_ARRAYS)
        item_ids, quantized, norms, available_at = arrays
        embeddings[modality] = EmbeddingSet(item_ids, quantized, norms, available_at, "")
    return Tables(embeddings, _load_side(folder, "items"), _load_side(folder, "users"))


def _load_side(folder: str, kind: str) -> SideTable:
    names = [name.removesuffix(".npy") for name in _children(os.path.join(folder, kind, "values"))]
    values = {name: map_array(folder, f"{kind}/values/{name}") for name in names}
    return SideTable(ids=map_array(folder, f"{kind}/ids"), values=values)


def _children(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
