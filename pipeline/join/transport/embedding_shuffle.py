"""Shipping vectors to the partitions that need them, where no worker holds all of them.

Items are spread over buckets. A bucket's worker holds its share of the vectors, receives which
partitions need which of its items, and sends each of them one block. An item in every history
is one vector in every partition's block, not one per event.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np

from features.embeddings import embedding_files, embedding_set, similarity
from features.embeddings.embedding_set import EmbeddingSet
from features.embeddings.vector_rows import VectorReader
from features.errors import UserInputError
from features.ids import hashing, id_table
from features.schema import ExampleSchema
from features.tables.reader import Unit
from pipeline.join.inputs.duplicates import run_starts
from pipeline.join.planner import EmbeddingShuffle
from pipeline.join.transport import spill, summary
from pipeline.join.transport.spill import SpilledBlock
from pipeline.join.transport.summary import Summary

_SUMMARIES, _VECTORS, _NEEDS = "summaries", "vectors", "needs"


def needs_of(partition: int, items: np.ndarray, buckets: int) -> Iterator[tuple[int, Any]]:
    """Yields the items that a partition needs of each bucket.

    Args:
      partition: its number.
      items: `[N]` int64, the items of its events.
      buckets: how many buckets items are spread over.
    """
    distinct = np.unique(items)
    bucket = hashing.bucket(distinct, buckets)
    for number in np.unique(bucket).tolist():
        yield number, (partition, distinct[bucket == number].tobytes())


def tables_of(
    blocks: Iterable[tuple[str, SpilledBlock]], schema: ExampleSchema
) -> dict[str, EmbeddingSet]:
    """Returns the embedding sets that a partition received.

    Args:
      blocks: `(modality, block)` in any order.
      schema: names the modalities and their widths.
    """
    by_modality = _by_modality(blocks, schema)
    tables = {}
    for name, vectors in by_modality.items():
        tables[name] = embedding_set.from_quantized(
            np.ascontiguousarray(vectors["item"]),
            vectors["quantized"],
            vectors["norm"],
            vectors["available_at"],
        )
    return tables


class ShipVectors(beam.PTransform):
    """From partitions' needs to `(partition, (modality, block))`, and summaries of the sets.

    Args:
      schema: of the records.
      shuffle: what is read, and how many buckets items are spread over.
      folder: where blocks wait, None to leave them to the runner.
    """

    def __init__(self, schema: ExampleSchema, shuffle: EmbeddingShuffle, folder: str | None):
        super().__init__()
        self._schema, self._shuffle, self._folder = schema, shuffle, folder

    def expand(self, needs: beam.PCollection) -> Any:
        """Returns blocks and summaries; rejected rows are in the summaries."""
        schema, shuffle, folder = self._schema, self._shuffle, self._folder
        read = (
            needs.pipeline
            | "VectorUnits" >> beam.Create(shuffle.units)
            | "SpreadVectors" >> beam.Reshuffle()
            | "ReadVectors"
            >> beam.FlatMap(_read_vectors, shuffle.readers, shuffle.buckets, folder).with_outputs(
                _SUMMARIES, main=_VECTORS
            )
        )
        shipped = (
            {_VECTORS: read[_VECTORS], _NEEDS: needs}
            | "GroupByItems" >> beam.CoGroupByKey()
            | "Ship"
            >> beam.FlatMap(_ship, schema, shuffle.paths, folder).with_outputs(
                _SUMMARIES, main=_VECTORS
            )
        )
        summaries = (read[_SUMMARIES], shipped[_SUMMARIES]) | "VectorSummaries" >> beam.Flatten()
        return shipped[_VECTORS], summaries


def _read_vectors(
    element: tuple[str, Unit],
    readers: Mapping[str, VectorReader],
    buckets: int,
    folder: str | None,
) -> Iterator[Any]:
    """From a unit of a modality to `(bucket, (modality, block))`."""
    modality, unit = element
    reader = readers[modality]
    parts, rejected = [np.empty(0, _row_type(reader.dimension))], []
    try:
        for rows in reader.read(unit):
            part = np.empty(len(rows.item_ids), _row_type(reader.dimension))
            part["item"], part["available_at"] = rows.item_ids, rows.available_at
            part["file"], part["row"] = unit.file, rows.rows
            part["quantized"], part["norm"] = similarity.quantize(rows.vectors)
            parts.append(part)
            rejected += [{"file": unit.path, **one} for one in rows.rejected]
    except UserInputError as error:
        yield beam.pvalue.TaggedOutput(_SUMMARIES, summary.unreadable(error))
    vectors = np.concatenate(parts)
    bucket = hashing.bucket(vectors["item"], buckets)
    with spill.BlockWriter(folder) as writer:
        blocks = [
            (number, (modality, writer.put(vectors[bucket == number].tobytes())))
            for number in np.unique(bucket).tolist()
        ]
    yield from blocks
    yield beam.pvalue.TaggedOutput(_SUMMARIES, {"rejected_vectors": {modality: rejected}})


def _ship(
    element: tuple[int, dict[str, Iterable[Any]]],
    schema: ExampleSchema,
    paths: dict[str, tuple[str, ...]],
    folder: str | None,
) -> Iterator[Any]:
    """From a bucket's vectors and needs to `(partition, (modality, block))`."""
    _, values = element
    needs = [(partition, np.frombuffer(ids, np.int64)) for partition, ids in values[_NEEDS]]
    for name, vectors in _by_modality(values[_VECTORS], schema).items():
        # Items 5 3 5 of rows 1 2 3: the order is 1 0 2, and the row 3 is a duplicate.
        order = np.lexsort((vectors["row"], vectors["file"], vectors["item"]))
        new = run_starts(vectors["item"][order])
        rejected = [
            {"file": paths[name][file], "row": row, "reason": embedding_files.DUPLICATE}
            for file, row in vectors[["file", "row"]][order[~new]].tolist()
        ]
        vectors = vectors[order[new]]
        item = np.ascontiguousarray(vectors["item"])
        yield beam.pvalue.TaggedOutput(
            _SUMMARIES, {**_counts(name, vectors), "rejected_vectors": {name: rejected}}
        )
        with spill.BlockWriter(folder) as writer:
            blocks = []
            for partition, items in needs:
                rows = id_table.positions(items, item)
                found = rows[rows < len(item)]
                if found.size:
                    blocks.append((partition, (name, writer.put(vectors[found].tobytes()))))
        yield from blocks


def _row_type(dimension: int) -> np.dtype:
    """Returns the type of a vector in transit, so that rows are moved whole."""
    fields = [(name, np.int64) for name in ("item", "available_at", "file", "row")]
    return np.dtype([*fields, ("norm", np.float32), ("quantized", np.int8, (dimension,))])


def _by_modality(
    blocks: Iterable[tuple[str, SpilledBlock]], schema: ExampleSchema
) -> dict[str, np.ndarray]:
    """Returns the rows of all blocks, `[N]` of `_row_type` by modality."""
    parts: dict[str, list[bytes]] = {name: [] for name in schema.modality_names}
    for name, block in blocks:
        parts[name].append(spill.read(block))
    return {
        one.name: np.frombuffer(b"".join(parts.pop(one.name)), _row_type(one.dimension))
        for one in schema.modalities
    }


def _counts(modality: str, vectors: np.ndarray) -> Summary:
    """Returns counts that add up to the set's entry in the manifest."""
    hashes = embedding_set.row_fingerprints(
        vectors["item"], np.ascontiguousarray(vectors["quantized"]), vectors["available_at"]
    )
    # Python's integers add without overflow; the launcher takes the sum modulo 2^64.
    total = int(np.sum(hashes, dtype=np.uint64))
    return {"embeddings": {modality: {"items": len(vectors), "fingerprint": total}}}
