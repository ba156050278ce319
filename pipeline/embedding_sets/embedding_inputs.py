"""The join's embedding sets: fingerprints, reading, counts and rejected rows."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from features.embeddings.embedding_files import EmbeddingFiles
from features.embeddings.embedding_set import EmbeddingSet, read_embedding_set
from features.errors import UserInputError
from features.files import manifest, storage
from features.files.parquet_folder import parquet_files
from pipeline.publishing.shards import HashedFile, json_line
from pipeline.runtime import left_out
from pipeline.tables import parquet


def fingerprint_files(
    modality: str, folder: str, log_kind: Mapping[str, pa.DataType]
) -> list[dict[str, Any]]:
    """Returns the fingerprints of an embedding set's files, which it hashes whole.

    `log_kind` is the type of the log's `item_id` by file.

    Raises:
      UserInputError: a file is missing, unreadable, or has ids of another kind than the log.
    """
    files = []
    for path in parquet_files(folder):
        schema = parquet.open_file(path, f"embeddings {modality}").schema_arrow
        parquet.check_column(path, schema, "item_id", parquet.is_id, "int64 or string")
        parquet.same_kind({**log_kind, path: schema.field("item_id").type}, "item_id")
        name, size = storage.base_name(path), storage.size(path)
        files.append({"name": name, "bytes": size, "sha256": manifest.file_sha256(path)})
    return files


def read_all(folders: Mapping[str, str]) -> dict[str, EmbeddingSet]:
    """Reads and quantizes every set.

    Raises:
      UserInputError: a set is not valid; names its modality.
    """
    embeddings = {}
    for modality, folder in folders.items():
        try:
            embeddings[modality] = read_embedding_set(folder)
        except UserInputError as error:
            raise UserInputError(f"--embeddings {modality}: {error}") from error
    return embeddings


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
        rows.sort(key=lambda row: (files.paths.index(row["file"]), row["row"]))
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
                file.write(json_line({**row, "file": storage.base_name(str(row["file"]))}))
    return {
        "fingerprint": counts.fingerprint,
        "encoder": files.encoder,
        "dimension": files.dimension,
        "items": counts.items,
        "quarantined": dict(collections.Counter(str(row["reason"]) for row in counts.rejected)),
    }
