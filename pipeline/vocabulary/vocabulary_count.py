"""From shards of records to a vocabulary of the frequent ids."""

import json
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from features.files import storage
from features.ids import id_table
from features.records import example, record_files
from models.inputs import remote_files, shard_reading
from pipeline.join.transport import summary
from pipeline.publishing.shards import HashedFile
from pipeline.vocabulary.id_counts import IdCounts, SumIdCounts

SUMMARY = "summary.json"
VOCABULARY = "item_id.txt"
COUNTS = "counts.tsv"

_SUMMARIES = "summaries"
_RECORDS_AT_ONCE = 4096
_BUCKETS = 64


class CountVocabulary(beam.PTransform):
    """Counts the item ids of shards, and writes the frequent ones and a summary.

    Ids are counted by bucket of their hash, so no worker holds the rare ids of all buckets. Only
    the frequent ids are collected on one worker, which writes them.

    Args:
      folder: receives `item_id.txt`, ascending, `counts.tsv`, by count, and `summary.json`.
      minimum_count: occurrences an id must have to be kept.
      maximum_size: how many of the most frequent ids to keep; None for all frequent ones.
    """

    def __init__(self, folder: str, minimum_count: int, maximum_size: int | None):
        super().__init__()
        self._folder = folder
        self._minimum_count, self._maximum_size = minimum_count, maximum_size

    def expand(self, shards: beam.PCollection) -> None:
        counted = (
            shards
            | "Spread" >> beam.Reshuffle()
            | "CountShard" >> beam.FlatMap(_count_shard).with_outputs(_SUMMARIES, main=VOCABULARY)
        )
        kept = (
            counted[VOCABULARY]
            | "SumByBucket" >> beam.CombinePerKey(SumIdCounts())
            | "DropRare"
            >> beam.FlatMap(_drop_rare, self._minimum_count).with_outputs(
                _SUMMARIES, main=VOCABULARY
            )
        )
        written = (
            kept[VOCABULARY]
            | "Gather" >> beam.CombineGlobally(SumIdCounts())
            | "WriteVocabulary" >> beam.Map(_write, self._folder, self._maximum_size)
        )
        _ = (
            (counted[_SUMMARIES], kept[_SUMMARIES], written)
            | "AllSummaries" >> beam.Flatten()
            | "MergeSummaries" >> beam.CombineGlobally(summary.merge_all)
            | "WriteSummary" >> beam.Map(_write_summary, storage.join(self._folder, SUMMARY))
        )


def _count_shard(path: str) -> Iterator[Any]:
    """From a shard's path to its counts by bucket, and a summary that names an unreadable shard."""
    remote_files.register(path)
    records = 0
    try:
        for serialized in record_files.read(path).batch(_RECORDS_AT_ONCE):
            records += len(serialized)
            counts = IdCounts.of(example.item_ids(serialized).numpy())
            yield from enumerate(counts.by_bucket(_BUCKETS))
    except shard_reading.FAULTS as error:
        yield beam.pvalue.TaggedOutput(_SUMMARIES, {"unreadable": {path: str(error)}})
    yield beam.pvalue.TaggedOutput(_SUMMARIES, {"records": records})


def _drop_rare(bucket: tuple[int, IdCounts], minimum_count: int) -> Iterator[Any]:
    """Keeps the counts of a bucket's frequent ids, and summarizes the bucket."""
    counts = bucket[1]
    yield counts.at_least(minimum_count)
    found = {"ids": len(counts), "occurrences": counts.total()}
    yield beam.pvalue.TaggedOutput(_SUMMARIES, found)


def _write(counts: IdCounts, folder: str, maximum_size: int | None) -> summary.Summary:
    ranked = counts.ranked()
    kept = IdCounts(ranked.ids[:maximum_size], ranked.counts[:maximum_size])
    rows = zip(kept.ids.tolist(), kept.counts.tolist(), strict=True)
    with HashedFile(storage.join(folder, COUNTS)) as file:
        file.write("".join(f"{value}\t{count}\n" for value, count in rows).encode())
    id_table.write_vocabulary(storage.join(folder, VOCABULARY), np.sort(kept.ids))
    return {"kept_ids": len(kept), "kept_occurrences": kept.total()}


def _write_summary(values: summary.Summary, path: str) -> None:
    with HashedFile(path) as file:
        file.write(json.dumps(summary.plain(values)).encode())
