"""Encoding requests as serialized records: similarity codes by block, then one Example each."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from features.embeddings import similarity
from features.ids import id_table
from features.records.columnar import Slices, encode_requests
from features.records.running_statistics import NAME
from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_POSITION,
    CANDIDATE_SAMPLE_WEIGHT,
    HISTORY_ITEM_ID,
    HISTORY_RESIDUAL,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ExampleSchema,
    candidate_embedding_feature,
    candidate_feature,
    context_feature,
    similarity_feature,
)
from pipeline.join.partition import record_window
from pipeline.join.partition.record_window import Window
from pipeline.join.partition.running_statistics import RunningStatistics
from pipeline.join.partition.sequences import Requests
from pipeline.join.rules import splits
from pipeline.join.transport import broadcast

_BLOCK_RECORDS = 512
_BLOCK_PAIRS = 1 << 20
_MICROSECONDS = 1_000_000


@dataclasses.dataclass(frozen=True)
class RecordBlock:
    """Consecutive records of a partition.

    Attributes:
      split: `[records]` index of each one's split.
      time: `[records]` int64 microseconds.
      serialized: the records.
      code_counts: `[2, 256]` by modality: how often each similarity code occurs for
        candidates of the first split whose primary label is 0 and 1.
    """

    split: np.ndarray
    time: np.ndarray
    serialized: list[bytes]
    code_counts: dict[str, np.ndarray]


class RecordEncoder:
    """Encodes the requests of one partition.

    Args:
      schema: of the records.
      tables: embeddings and side features.
      columns: `[E]` events of the partition, sorted by user, time and row, by column.
      requests: of those events.
      split: `[Q]` index of each request's split, `splits.OUTSIDE` for none.
      max_candidates: requests with more are cut into several records.
      statistics: running statistics, where the schema has them.
    """

    def __init__(
        self,
        schema: ExampleSchema,
        tables: broadcast.Tables,
        columns: dict[str, np.ndarray],
        requests: Requests,
        split: np.ndarray,
        max_candidates: int,
        statistics: RunningStatistics | None = None,
    ):
        self._schema, self._tables, self._requests = schema, tables, requests
        self._statistics = statistics
        order, behaviors = requests.order, requests.behaviors
        self._item = columns["item"][order]
        self._labels = {name: columns[f"label_{name}"][order] for name in schema.labels}
        self._weight = columns["weight"][order] if schema.weighted else None
        self._position = columns["position"][order] if schema.positioned else None
        self._behavior_item = columns["item"][behaviors]
        self._behavior_time = columns["time"][behaviors]
        self._behavior_type = columns["type"].astype(np.int64)[behaviors]
        embeddings = tables.embeddings
        # One look-up of all events serves candidates and behaviors; unknown items are the row after
        # the last, which is zero.
        item_rows = {name: embeddings[name].rows(columns["item"]) for name in embeddings}
        self._embedding_rows = {name: rows[order] for name, rows in item_rows.items()}
        self._behavior_rows = {name: rows[behaviors] for name, rows in item_rows.items()}
        self._side_rows = id_table.positions(self._item, tables.items.ids)
        self._context = self._context_features(columns)
        self._request, self._low, self._high = _cut(requests, split, max_candidates)
        self._split = split[self._request]

    def has_embedding(self, modality: str) -> np.ndarray:
        """Returns whether each event in the order of requests has an embedding, `[E]` bool."""
        return self._embedding_rows[modality] < self._tables.embeddings[modality].item_ids.size

    def candidates_per_record(self, split: int) -> np.ndarray:
        """Returns the number of candidates of each record of a split."""
        return (self._high - self._low)[self._split == split]

    def blocks(self) -> Iterator[RecordBlock]:
        """Yields all records, in order."""
        start = 0
        while start < len(self._request):
            stop = self._block_end(start)
            yield self._encode(slice(start, stop))
            start = stop

    def _context_features(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns `[Q, K]` by name: columns of a request's first event, then user features."""
        requests, users = self._requests, self._tables.users
        user_rows = id_table.positions(requests.user, users.ids)
        values = {}
        for feature in self._schema.context_features:
            if feature.kind == "running" and self._statistics is not None:
                values[feature.name] = self._statistics.requests
            elif feature.name in users.values:
                values[feature.name] = users.values[feature.name][user_rows]
            else:
                values[feature.name] = columns[context_feature(feature.name)][requests.first][
                    :, None
                ]
        return values

    def _block_end(self, start: int) -> int:
        """Returns where a block ends: large enough for array operations, small in memory."""
        requests = self._requests
        ahead = slice(start, start + _BLOCK_RECORDS)
        request = self._request[ahead]
        lengths = requests.history_end[request] - requests.history_start[request]
        pairs = np.cumsum((self._high[ahead] - self._low[ahead]) * lengths)
        return start + max(1, int(np.searchsorted(pairs, _BLOCK_PAIRS, side="right")))

    def _encode(self, part: slice) -> RecordBlock:
        requests = self._requests
        request, low, high = self._request[part], self._low[part], self._high[part]
        start, end = requests.history_start[request], requests.history_end[request]
        window = Window(low, high, start, end, requests.time[request])
        # Records share ranges of candidates and behaviors: a feature is one array of the whole
        # window with each record's start and end in it.
        codes, counts = self._codes(window, self._split[part] == 0)
        side_rows = self._side_rows[window.candidates]
        by_behavior = functools.partial(Slices, starts=window.start, ends=window.end)
        by_candidate = functools.partial(Slices, starts=window.low, ends=window.high)
        features = {
            "user_id": Slices.one_each(requests.user[request]),
            "request_id": Slices.one_each(requests.request[request]),
            "timestamp": Slices.one_each(window.time),
            HISTORY_ITEM_ID: by_behavior(self._behavior_item[window.behaviors]),
            HISTORY_TYPE: by_behavior(self._behavior_type[window.behaviors]),
            HISTORY_TIME_GAP: self._time_gaps(window),
            CANDIDATE_ITEM_ID: by_candidate(self._item[window.candidates]),
        }
        for name, values in self._labels.items():
            features[name] = by_candidate(values[window.candidates])
        if self._weight is not None:
            features[CANDIDATE_SAMPLE_WEIGHT] = by_candidate(self._weight[window.candidates])
        if self._position is not None:
            features[CANDIDATE_POSITION] = by_candidate(self._position[window.candidates])
        for name, values in codes.items():
            features[similarity_feature(name)] = Slices(
                values, window.pair_offsets[:-1], window.pair_offsets[1:]
            )
        for name, values in self._candidate_vectors(window).items():
            features[candidate_embedding_feature(name)] = by_candidate(values)
        for name, values in self._tables.items.values.items():
            features[candidate_feature(name)] = by_candidate(values[side_rows])
        if self._statistics is not None:
            residuals = self._statistics.events[self._requests.behaviors[window.behaviors]]
            features[HISTORY_RESIDUAL] = by_behavior(residuals)
            values = self._statistics.candidates[window.candidates]
            features[candidate_feature(NAME)] = by_candidate(values)
        for name, values in self._context.items():
            features[context_feature(name)] = Slices.one_each(values[request])
        return RecordBlock(
            self._split[part], window.time, encode_requests(self._schema, features), counts
        )

    def _time_gaps(self, window: Window) -> Slices:
        """Returns seconds from behavior to request, 0 for untimed, records one after another."""
        # Two records with behaviors 0:2 and 1:3: `record` is 0 0 1 1, `behavior` is 0 1 1 2.
        lengths = window.end - window.start
        offsets = np.append(0, np.cumsum(lengths))
        record = np.repeat(np.arange(len(lengths)), lengths)
        behavior = np.arange(offsets[-1]) + (window.start - offsets[:-1])[record]
        behavior_time = self._behavior_time[window.behaviors][behavior]
        gaps = (window.time[record] - behavior_time) // _MICROSECONDS
        gaps[behavior_time < 0] = 0
        return Slices(gaps, offsets[:-1], offsets[1:])

    def _codes(
        self, window: Window, train: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Returns each modality's codes of the window's pairs, and how often each occurs."""
        labels = self._labels[self._schema.primary_label][window.candidates]
        # Three rows of counters per modality: label 0, label 1, and candidates of other splits.
        # A candidate in row 1 with code 7 counts at place 1 * 256 + 7.
        row = np.where(train[window.record], labels[window.candidate] > 0, 2)
        offset = np.repeat((row * similarity.CODES).astype(np.uint16), window.width[window.record])
        flat, counts = {}, {}
        for modality in self._schema.modalities:
            codes = record_window.codes(
                self._tables.embeddings[modality.name],
                self._embedding_rows[modality.name][window.candidates],
                self._behavior_rows[modality.name][window.behaviors],
                window,
            )
            flat[modality.name] = codes
            occurrences = np.bincount(offset + codes, minlength=3 * similarity.CODES)
            counts[modality.name] = occurrences.reshape(3, -1)[:2]
        return flat, counts

    def _candidate_vectors(self, window: Window) -> dict[str, np.ndarray]:
        """Returns the block's candidate vectors by modality, zero where not yet available."""
        # Candidates between two records of the block belong to no split; their time is unused.
        time = np.zeros(window.candidates.stop - window.candidates.start, np.int64)
        time[window.candidate] = window.time[window.record]
        vectors = {}
        for modality in self._schema.modalities:
            if modality.candidate_embedding:
                embeddings = self._tables.embeddings[modality.name]
                rows = self._embedding_rows[modality.name][window.candidates]
                late = embeddings.available_at[rows] > time
                rows = np.where(late, embeddings.item_ids.size, rows)
                vectors[modality.name] = embeddings.quantized.take(rows, axis=0)
        return vectors


def _cut(
    requests: Requests, split: np.ndarray, max_candidates: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns each record's request, first candidate and one past its last."""
    # A request of 5 candidates from 10 on, at most 2 per record: pieces 0 1 2 of it are the
    # candidates 10:12, 12:14 and 14:15.
    inside = np.flatnonzero(split != splits.OUTSIDE)
    first, last = requests.starts[:-1][inside], requests.starts[1:][inside]
    pieces = -(-(last - first) // max_candidates)
    request = np.repeat(inside, pieces)
    piece = np.arange(len(request)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    low = requests.starts[request] + piece * max_candidates
    return request, low, np.minimum(low + max_candidates, requests.starts[request + 1])
