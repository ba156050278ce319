"""Vectors to the partitions that need them, each once a partition, where no worker holds all.

Items are spread over buckets. A bucket's worker holds its share of the vectors, learns which
partitions need which of its items, and sends each of them one block. An item in every history
is one vector in every partition's block, not one an event.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from features.embeddings import embedding_files, embedding_set, similarity
from features.embeddings.embedding_set import EmbeddingSet
from features.ids import hashing, id_table
from features.schema import ExampleSchema
from pipeline.join.planner import EmbeddingShuffle, VectorUnit
from pipeline.join.transport import array_bytes, spill, summary

SUMMARIES, REJECTED = "summaries", "rejected"

_VECTORS, _NEEDS = "vectors", "needs"


def needs_of(partition: int, items: np.ndarray, buckets: int) -> Iterator[tuple[int, Any]]:
    """Yields what a partition asks of each bucket.

    Args:
      partition: its number.
      items: `[N]` int64, the items of its events.
      buckets: items are spread over so many.
    """
    distinct = np.unique(items)
    bucket = hashing.bucket(distinct, buckets)
    for number in np.unique(bucket).tolist():
        yield number, (partition, distinct[bucket == number].tobytes())


def tables_of(
    blocks: Iterable[tuple[str, spill.Block]], schema: ExampleSchema
) -> dict[str, EmbeddingSet]:
    """Returns the embedding sets of what a partition was sent.

    Args:
      blocks: `(modality, block)` in any order.
      schema: names the modalities and their widths.
    """
    by_modality: dict[str, list[bytes]] = {name: [] for name in schema.modality_names}
    for name, block in blocks:
        by_modality[name].append(spill.read(block))
    tables = {}
    for modality in schema.modalities:
        one = _Vectors.from_bytes(by_modality[modality.name], modality.dimension)
        tables[modality.name] = embedding_set.from_quantized(
            one.item, one.quantized, one.norm, one.available_at
        )
    return tables


class ShipVectors(beam.PTransform):
    """From partitions' needs to `(partition, (modality, block))`; tagged summaries and rejects.

    Args:
      schema: of the records.
      shuffle: what to read, and over how many buckets.
      folder: where blocks wait, None to leave them to the runner.
    """

    def __init__(self, schema: ExampleSchema, shuffle: EmbeddingShuffle, folder: str | None):
        super().__init__()
        self._schema, self._shuffle, self._folder = schema, shuffle, folder

    def expand(self, needs: beam.PCollection) -> Any:
        """Returns blocks, summaries, and rejected rows as `(modality, file, row and reason)`."""
        schema = self._schema
        read = (
            needs.pipeline
            | "VectorUnits" >> beam.Create(self._shuffle.units)
            | "SpreadVectors" >> beam.Reshuffle()
            | "ReadVectors"
            >> beam.ParDo(_ReadVectors(schema, self._shuffle.buckets, self._folder)).with_outputs(
                REJECTED, main=_VECTORS
            )
        )
        shipped = (
            {_VECTORS: read[_VECTORS], _NEEDS: needs}
            | "GroupByItems" >> beam.CoGroupByKey()
            | "Ship"
            >> beam.ParDo(_Ship(schema, self._shuffle.paths, self._folder)).with_outputs(
                SUMMARIES, REJECTED, main="blocks"
            )
        )
        rejected = (read[REJECTED], shipped[REJECTED]) | "RejectedVectors" >> beam.Flatten()
        return shipped["blocks"], shipped[SUMMARIES], rejected


class _ReadVectors(beam.DoFn):
    """From a row group to `(bucket, (modality, block))`."""

    def __init__(self, schema: ExampleSchema, buckets: int, folder: str | None):
        self._modalities = {one.name: one for one in schema.modalities}
        self._buckets, self._folder = buckets, folder

    def process(self, unit: VectorUnit) -> Iterator[Any]:
        modality = self._modalities[unit.modality]
        rows = embedding_files.read_rows(modality.dimension, unit.row_group)
        quantized, norms = similarity.quantize(rows.vectors)
        file = np.full(len(norms), unit.row_group.file)
        vectors = _Vectors(rows.item_ids, rows.available_at, norms, file, rows.rows, quantized)
        bucket = hashing.bucket(rows.item_ids, self._buckets)
        with spill.BlockWriter(self._folder) as writer:
            blocks = [
                (number, (modality.name, writer.put(vectors.take(bucket == number).to_bytes())))
                for number in np.unique(bucket).tolist()
            ]
        yield from blocks
        for one in rows.rejected:
            rejected = {"file": unit.row_group.path, **one}
            yield beam.pvalue.TaggedOutput(REJECTED, (modality.name, rejected))


class _Ship(beam.DoFn):
    """From a bucket's vectors and needs to `(partition, (modality, block))`."""

    def __init__(
        self, schema: ExampleSchema, paths: dict[str, tuple[str, ...]], folder: str | None
    ):
        self._schema, self._paths, self._folder = schema, paths, folder

    def process(self, element: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[Any]:
        _, values = element
        parts: dict[str, list[bytes]] = {name: [] for name in self._schema.modality_names}
        for name, block in values[_VECTORS]:
            parts[name].append(spill.read(block))
        needs = [(partition, np.frombuffer(ids, np.int64)) for partition, ids in values[_NEEDS]]
        for modality in self._schema.modalities:
            vectors = _Vectors.from_bytes(parts[modality.name], modality.dimension)
            first, again = vectors.first_of_duplicates()
            for number in again.tolist():
                path = self._paths[modality.name][vectors.file[number]]
                row = {"file": path, "row": int(vectors.row[number])}
                rejected = {**row, "reason": embedding_files.DUPLICATE}
                yield beam.pvalue.TaggedOutput(REJECTED, (modality.name, rejected))
            vectors = vectors.take(first)
            yield beam.pvalue.TaggedOutput(SUMMARIES, vectors.summary(modality.name))
            with spill.BlockWriter(self._folder) as writer:
                blocks = []
                for partition, items in needs:
                    rows = id_table.positions(items, vectors.item)
                    found = rows[rows < len(vectors.item)]
                    if found.size:
                        block = writer.put(vectors.take(found).to_bytes())
                        blocks.append((partition, (modality.name, block)))
            yield from blocks


@dataclasses.dataclass(frozen=True)
class _Vectors:
    """Quantized vectors in transit, `[N]` each and `[N, M]`."""

    item: np.ndarray
    available_at: np.ndarray
    norm: np.ndarray
    file: np.ndarray
    row: np.ndarray
    quantized: np.ndarray

    def take(self, rows: np.ndarray) -> "_Vectors":
        """Returns some rows, by position or mask."""
        return _Vectors(*(getattr(self, one.name)[rows] for one in dataclasses.fields(self)))

    def first_of_duplicates(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the positions of each item's first row, by item, and of the other rows."""
        order = np.lexsort((self.row, self.file, self.item))
        new = np.ones(len(order), bool)
        new[1:] = np.diff(self.item[order]) != 0
        return order[new], order[~new]

    def summary(self, modality: str) -> summary.Summary:
        """Returns what adds up to the set's entry in the manifest."""
        hashes = embedding_set.row_fingerprints(self.item, self.quantized, self.available_at)
        # Python's integers add without overflow; the launcher takes the sum modulo 2^64.
        total = int(np.sum(hashes, dtype=np.uint64))
        return {"embeddings": {modality: {"items": len(self.item), "fingerprint": total}}}

    def to_bytes(self) -> bytes:
        """Returns the rows as bytes."""
        return array_bytes.to_bytes([getattr(self, one.name) for one in dataclasses.fields(self)])

    @classmethod
    def from_bytes(cls, parts: Iterable[bytes], dimension: int) -> "_Vectors":
        """Returns the rows of several blocks, in their order."""
        none = np.zeros(0, np.int64)
        empty = cls(
            none, none, none.astype(np.float32), none, none, np.zeros((0, dimension), np.int8)
        )
        blocks = [empty]
        for part in parts:
            blocks.append(cls(*array_bytes.from_bytes(part, len(dataclasses.fields(cls)))))
        names = [one.name for one in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(one, name) for one in blocks]) for name in names))
