"""A modality's embedding set as numbered, complete versions; a pointer names the published one."""

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa

from features import id_kinds
from features.embeddings import byte_vectors, embedding_files, set_manifest
from features.embeddings.embedding_files import ALWAYS
from features.embeddings.vector_rows import ITEM_ID
from features.errors import UserInputError
from features.files import manifest, parquet, storage, versions
from features.ids import hashing, id_table
from features.tables import kinds
from pipeline.embedding_sets.delivery import Vectors, read_delivery
from pipeline.publishing.shards import HashedFile
from pipeline.tables import ids

_DESCRIBING = ("encoder", "version", "fingerprint")
_ROWS_PER_FILE = 1 << 18
_ROW_GROUP = 1 << 16


def published(output: str) -> dict[str, Any] | None:
    """Returns the manifest of the published version, None where there is none.

    Raises:
      UserInputError: it is not that of a version of an embedding set.
    """
    path = versions.published(output)
    if path is None:
        return None
    found = set_manifest.values_of(path)
    if missing := [name for name in _DESCRIBING if name not in found]:
        raise UserInputError(
            f"{storage.join(path, manifest.FILE_NAME)!r} lacks {', '.join(missing)}: it is no "
            "version of an embedding set. Give another --output, or write the number of another "
            f"version into {storage.join(output, versions.POINTER)!r}."
        )
    return found


def read_published(output: str) -> Vectors:
    """Reads the published version.

    Raises:
      UserInputError: its files differ from its manifest.
    """
    files = embedding_files.open_files(output, "output", quiet=True)
    found = read_delivery(files, files.dimension)
    if found.rejected:
        raise UserInputError(
            f"{output!r}: the published version has bad rows: {found.rejected[:3]}. Ingest all "
            "vectors again with --replace."
        )
    return found.vectors


def published_ids(output: str) -> tuple[np.ndarray, id_kinds.Kind | None]:
    """Returns the items of the published version, `[N]` int64, and what their ids are.

    Raises:
      UserInputError: its files differ from its manifest.
    """
    files = embedding_files.open_files(output, "output", quiet=True)
    (column,) = files.table.read([ITEM_ID]).columns
    return hashing.ids_of_column(column), files.item_kind


def merge(before: Vectors | None, new: Vectors) -> tuple[Vectors, dict[str, int]]:
    """Adds a delivery to the version before; the newer vector of an item is used.

    The newer vector has the later `available_at`. With equal times, or where one of them has no
    time, the delivered vector is the newer one. An unchanged vector keeps its `available_at`.

    Returns:
      The vectors of the next version; and counts of the delivery's items, `new`, `changed`,
      `unchanged` and `older`, and `kept`, of the version before that the delivery does not have.

    Raises:
      UserInputError: ids are strings in one and integers in the other.
    """
    if before is None:
        counts = {"new": len(new.item_ids), "changed": 0, "unchanged": 0, "older": 0, "kept": 0}
        return new, counts
    types = {"the version before": before.keys.type, "--vectors": new.keys.type}
    ids.same_kind(types, "item_id")
    kind = kinds.unified(types.values())
    rows = id_table.positions(new.item_ids, before.item_ids)
    known = np.flatnonzero(rows < len(before.item_ids))
    mine = rows[known]
    same = (before.quantized[mine] == new.quantized[known]).all(axis=1)
    then, now = before.available_at[mine], new.available_at[known]
    older = ~same & (now != ALWAYS) & (then != ALWAYS) & (now < then)
    changed = ~same & ~older
    replaced = np.zeros(len(before.item_ids), bool)
    replaced[mine[changed]] = True
    wins = np.ones(len(new.item_ids), bool)
    wins[known[~changed]] = False
    both = Vectors.concatenated(
        [
            dataclasses.replace(one, keys=one.keys.cast(kind)).take(np.flatnonzero(chosen))
            for one, chosen in ((before, ~replaced), (new, wins))
        ]
    )
    counts = {
        "new": len(new.item_ids) - len(known),
        "changed": int(changed.sum()),
        "unchanged": int(same.sum()),
        "older": int(older.sum()),
        "kept": len(before.item_ids) - len(known),
    }
    return both.take(np.argsort(both.item_ids, kind="stable")), counts


def write(folder: str, vectors: Vectors) -> dict[str, str]:
    """Writes a version's files and returns the sha256 of each by name."""
    hashes = {}
    late = bool(np.any(vectors.available_at != ALWAYS))
    for number, begin in enumerate(range(0, len(vectors.item_ids), _ROWS_PER_FILE)):
        some = vectors.take(np.arange(len(vectors.item_ids))[begin : begin + _ROWS_PER_FILE])
        columns = {"item_id": some.keys, "embedding": byte_vectors.to_column(some.quantized)}
        if late:
            always = some.available_at == ALWAYS
            columns["available_at"] = pa.array(some.available_at, mask=always)
        name = f"part-{number:05d}.parquet"
        sink = pa.BufferOutputStream()
        parquet.write_table(pa.table(columns), sink, row_group_size=_ROW_GROUP)
        with HashedFile(storage.join(folder, name)) as file:
            file.write(sink.getvalue().to_pybytes())
        hashes[name] = file.sha256
    return hashes


def prune(output: str, keep: int) -> None:
    """Removes all but the newest published versions, and nothing that is no version."""
    current = versions.current(output)
    if current is None:
        return
    numbers = versions.numbers(output)
    for number in set(numbers) - set(versions.kept(numbers, current, keep)):
        storage.remove_folder(versions.path_of(output, number))
