"""The limit of the join: one process, no Beam, whole arrays; the same records as ours.

    python -m benchmarks.join_alternatives.single_process --log=log/ --output=examples/

`--log` is a folder of `benchmarks.simulate` with labels inline. Rows are validated, duplicates
dropped, splits cut and the vocabulary written as in `pipeline.build_examples`; there is no
manifest, quarantine file, count, hash or restart. The sequences are found here by other code
than the pipeline's, so that equal records say something of both.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow.parquet as pq
from absl import flags

from benchmarks.join_alternatives.joined_records import MODALITY
from benchmarks.join_alternatives.sequences import Events, Records, cut_times, valid
from features.embeddings import similarity
from features.embeddings.embedding_set import EmbeddingSet, read_embedding_set
from features.ids import id_table
from features.records import tfrecord
from features.records.columnar import Slices, encode_requests
from features.schema import (
    CANDIDATE_ITEM_ID,
    HISTORY_ITEM_ID,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ExampleSchema,
    Modality,
    similarity_feature,
)
from pipeline.runtime import entry_point

SPLITS = ("train", "validation", "test")

_MICROSECONDS = 1000
_RECORDS_A_BLOCK = 1024
_CANDIDATES_A_PRODUCT = 96


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("log", None, "Folder of benchmarks.simulate.", required=True)
    flags.DEFINE_string("output", None, "Folder for the records.", required=True)
    flags.DEFINE_integer("history_length", 50, "The most behaviors of a record (L).")


def main() -> None:
    """Runs the join."""
    entry_point.run(_main, define_flags)


def join(log: str, output: str, history_length: int) -> None:
    """Writes `<split>.tfrecord` and the vocabulary of a log.

    Args:
      log: a folder of `benchmarks.simulate`, labels inline, with the modality `text`.
      output: a folder, created.
      history_length: the most behaviors of a record (L).
    """
    os.makedirs(output)
    table = valid(pq.read_table(os.path.join(log, "impressions")))
    cuts = cut_times(table["timestamp"].to_numpy())
    events = Events.of(table)
    embeddings = read_embedding_set(os.path.join(log, "embeddings", MODALITY))
    records = Records.of(events, cuts, history_length)
    schema = ExampleSchema(
        labels=("click",),
        modalities=(Modality(MODALITY, embeddings.dimension, candidate_embedding=False),),
        history_length=history_length,
    )
    paths = [os.path.join(output, f"{name}.tfrecord") for name in SPLITS]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(path, "wb")) for path in paths]
        for split, framed in _encoded(schema, events, records, embeddings):
            for index, file in enumerate(files):
                file.write(b"".join(framed[row] for row in np.flatnonzero(split == index)))
    in_train = np.repeat(records.split == 0, records.high - records.low)
    id_table.write_vocabulary(os.path.join(output, "item_id.txt"), records.item[in_train])


def _encoded(
    schema: ExampleSchema, events: Events, records: Records, embeddings: EmbeddingSet
) -> Iterator[tuple[np.ndarray, list[bytes]]]:
    """Yields the splits and the framed records of a block at a time."""
    candidate_rows = embeddings.rows(records.item)
    behavior_rows = embeddings.rows(records.behavior_item)
    for first in range(0, len(records.low), _RECORDS_A_BLOCK):
        block = slice(first, first + _RECORDS_A_BLOCK)
        low, high = records.low[block], records.high[block]
        start, end = records.start[block], records.end[block]
        behaviors = slice(int(start.min()), int(end.max()))
        candidates = slice(int(low[0]), int(high[-1]))
        by_behavior = (start - behaviors.start, end - behaviors.start)
        by_candidate = (low - candidates.start, high - candidates.start)
        time = records.time[block] * _MICROSECONDS
        items = records.behavior_item[behaviors]
        length = end - start
        offsets = np.append(0, np.cumsum(length))
        of = np.repeat(np.arange(len(length)), length)
        position = np.arange(offsets[-1]) + np.repeat(start - offsets[:-1], length)
        gaps = (records.time[block][of] - records.behavior_time[position]) // 1000
        codes = _codes(low, high, start, end, time, candidate_rows, behavior_rows, embeddings)
        code_offsets = np.append(0, np.cumsum((high - low) * length))
        features = {
            "user_id": Slices.one_each(events.user_ids[records.user[block]]),
            "request_id": Slices.one_each(records.request[block]),
            "timestamp": Slices.one_each(time),
            HISTORY_ITEM_ID: Slices(items, *by_behavior),
            HISTORY_TYPE: Slices(np.zeros(len(items), np.int64), *by_behavior),
            HISTORY_TIME_GAP: Slices(gaps, offsets[:-1], offsets[1:]),
            CANDIDATE_ITEM_ID: Slices(records.item[candidates], *by_candidate),
            "click": Slices(records.click[candidates], *by_candidate),
            similarity_feature(MODALITY): Slices(codes, code_offsets[:-1], code_offsets[1:]),
        }
        serialized = encode_requests(schema, features)
        yield records.split[block], list(map(tfrecord.frame, serialized))


def _codes(
    low: np.ndarray,
    high: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    time: np.ndarray,
    candidate_rows: np.ndarray,
    behavior_rows: np.ndarray,
    embeddings: EmbeddingSet,
) -> np.ndarray:
    """Returns the similarity codes of the records' pairs, one record after another."""
    parts = []
    one = 0
    while one < len(low):
        more = np.searchsorted(high[one:], low[one] + _CANDIDATES_A_PRODUCT, side="right")
        stop = one + max(1, int(more))
        first = int(start[one:stop].min())
        rows = candidate_rows[low[one] : high[stop - 1]]
        columns = behavior_rows[first : end[one:stop].max()]
        matrix = similarity.codes(
            embeddings.quantized[rows],
            embeddings.norms[rows],
            embeddings.quantized[columns],
            embeddings.norms[columns],
        )
        row_known, column_known = embeddings.available_at[rows], embeddings.available_at[columns]
        latest = int(max(row_known.max(initial=0), column_known.max(initial=0)))
        for record in range(one, stop):
            own_rows = slice(low[record] - low[one], high[record] - low[one])
            own_columns = slice(start[record] - first, end[record] - first)
            codes = matrix[own_rows, own_columns]
            if latest > time[record]:
                late = row_known[own_rows, None] > time[record]
                codes = np.where(
                    late | (column_known[own_columns] > time[record]),
                    similarity.UNKNOWN_CODE,
                    codes,
                )
            parts.append(codes.tobytes())
        one = stop
    return np.frombuffer(b"".join(parts), np.uint8)


def _main(_: Sequence[str]) -> None:
    join(flags.FLAGS.log, flags.FLAGS.output, flags.FLAGS.history_length)


if __name__ == "__main__":
    main()
