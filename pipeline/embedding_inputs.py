"""The join's embedding sets: fingerprints, reading, and what was left out of them."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from features import manifest, storage
from features.embedding_set import EmbeddingSet, parquet_files, read_embedding_set
from features.errors import UserInputError
from pipeline import parquet
from pipeline.shards import HashedFile, json_line


def fingerprint_files(
    modality: str, folder: str, log_kind: Mapping[str, pa.DataType]
) -> list[dict[str, Any]]:
    """Returns the fingerprints of an embedding set's files; hashes them whole.

    Args:
      modality: for messages.
      folder: the set's folder or file.
      log_kind: the type of the log's `item_id` by file.

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
    """Reads and quantises every set.

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


def quarantine_rejected(modality: str, embeddings: EmbeddingSet, folder: str) -> dict[str, Any]:
    """Quarantines the rejected rows of a set and returns its entry in the manifest."""
    reasons: dict[str, int] = {}
    if embeddings.rejected:
        with HashedFile(storage.join(folder, f"embeddings-{modality}.jsonl")) as file:
            for row in embeddings.rejected:
                file.write(json_line({**row, "file": storage.base_name(str(row["file"]))}))
                reason = str(row["reason"])
                reason = "item_id appeared before" if "appeared before" in reason else reason
                reasons[reason] = reasons.get(reason, 0) + 1
    return {
        "fingerprint": embeddings.fingerprint,
        "dimension": embeddings.dimension,
        "items": len(embeddings.item_ids),
        "quarantined": reasons,
    }
