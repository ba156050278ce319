"""The join's embedding sets: fingerprints, reading, counts and rejected rows."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from features.embeddings import embedding_files, embedding_set
from features.embeddings.embedding_files import EmbeddingFiles
from features.embeddings.embedding_set import EmbeddingSet
from features.embeddings.vector_rows import ITEM_ID
from features.errors import UserInputError
from features.files import storage
from features.tables.options import DEFAULT, TableOptions
from features.tables.renames import check_renames_used
from pipeline.publishing.shards import HashedFile, json_line
from pipeline.runtime import left_out
from pipeline.tables import ids

Locations = str | Sequence[str]


def open_all(
    locations: Mapping[str, Locations],
    options: TableOptions = DEFAULT,
    kind: Mapping[str, pa.DataType] | None = None,
) -> dict[str, EmbeddingFiles]:
    """Opens every set.

    Args:
      locations: folders, files or globs by modality.
      options: of the tables.
      kind: the type by file of the ids that those of the sets have to meet.

    Raises:
      UserInputError: a set is not valid, or has ids of another kind; names its modality.
    """
    opened = {}
    for modality, given in locations.items():
        flag = f"embeddings {modality}"
        opened[modality] = embedding_files.open_files(given, flag, options)
        if kind is not None:
            ids.same_kind({**kind, **opened[modality].item_type}, ITEM_ID)
    return opened


def read_all(
    locations: Mapping[str, Locations], options: TableOptions = DEFAULT
) -> dict[str, EmbeddingSet]:
    """Opens, reads and quantizes every set: the tables of a job that has no others.

    Raises:
      UserInputError: a set is not valid; names its modality.
    """
    opened = open_all(locations, options)
    check_renames_used(options, [files.table for files in opened.values()])
    return read_opened(opened)


def read_opened(opened: Mapping[str, EmbeddingFiles]) -> dict[str, EmbeddingSet]:
    """Reads and quantizes every set.

    Raises:
      UserInputError: a set has no usable row, or is not readable.
    """
    embeddings = {}
    for modality, files in opened.items():
        try:
            embeddings[modality] = embedding_set.read_files(files)
        except UserInputError as error:
            raise _of_modality(modality, error) from error
    return embeddings


def fingerprints(files: EmbeddingFiles) -> list[dict[str, Any]]:
    """Returns the fingerprints of a set's files, which it hashes whole."""
    return [
        {"name": found.name, "bytes": one["bytes"], "sha256": files.sha256[found.path]}
        for found, one in zip(files.table.files, files.table.fingerprints, strict=True)
    ]


def log_left_out(embeddings: Mapping[str, EmbeddingSet]) -> None:
    """Logs the rows of sets that were left out, for the last lines of a job."""
    for modality, one in embeddings.items():
        reasons = collections.Counter(str(row["reason"]) for row in one.rejected)
        left_out.log(f"--embeddings {modality}", reasons, len(one.item_ids) + len(one.rejected))


@dataclasses.dataclass(frozen=True)
class EmbeddingCounts:
    """The counts of a set.

    Attributes:
      items: usable rows.
      fingerprint: see `embedding_set.row_fingerprints`.
      rejected: file, row and reason of the other rows.
    """

    items: int
    fingerprint: str
    rejected: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, embeddings: EmbeddingSet) -> "EmbeddingCounts":
        """Counts a set that was read whole."""
        return cls(len(embeddings.item_ids), embeddings.fingerprint, embeddings.rejected)


def counts_of_shuffle(
    summary: Mapping[str, Any],
    rejected: Sequence[tuple[str, Mapping[str, Any]]],
    embeddings: Mapping[str, EmbeddingFiles],
) -> dict[str, EmbeddingCounts]:
    """Returns the counts of sets that workers read in parts, `rejected` rows in any order.

    Raises:
      UserInputError: a set has no usable row.
    """
    counts = {}
    for name, files in embeddings.items():
        own = summary.get("embeddings", {}).get(name, {"items": 0, "fingerprint": 0})
        rows = [row for modality, row in rejected if modality == name]
        order = {path: place for place, path in enumerate(files.paths)}
        rows.sort(key=lambda row: (order[row["file"]], row["row"]))
        if not own["items"]:
            raise UserInputError(
                f"--embeddings {name}: the set has no usable row. First: {rows[:3]}."
            )
        fingerprint = f"{own['fingerprint'] % (1 << 64):016x}"
        counts[name] = EmbeddingCounts(own["items"], fingerprint, tuple(rows))
    return counts


def manifest_entry(
    modality: str, counts: EmbeddingCounts, files: EmbeddingFiles, folder: str
) -> dict[str, Any]:
    """Quarantines the rejected rows of a set in `folder` and returns its entry in the manifest."""
    if counts.rejected:
        with HashedFile(storage.join(folder, f"embeddings-{modality}.jsonl")) as file:
            for row in counts.rejected:
                file.write(json_line({**row, "file": files.names[str(row["file"])]}))
    return {
        "fingerprint": counts.fingerprint,
        "encoder": files.encoder,
        "dimension": files.dimension,
        "items": counts.items,
        "quarantined": dict(collections.Counter(str(row["reason"]) for row in counts.rejected)),
    }


def _of_modality(modality: str, error: UserInputError) -> UserInputError:
    """Returns an error that names the flag: that of widths too large does not."""
    flag = f"--embeddings {modality}: "
    text = str(error)
    return UserInputError(text if text.startswith(flag) else f"{flag}{text}")
