"""From requests to serialized records: similarity codes by block, then one Example each."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from features import similarity
from features.example import Request, encode_request
from features.schema import ExampleSchema
from pipeline import broadcast, splits
from pipeline.sequences import Requests

_BLOCK_CANDIDATES = 96
_BLOCK_BEHAVIORS = 1024
_MICROSECONDS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Block:
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
      events: `[E]` events of the partition, sorted by user, time and row.
      requests: of those events.
      split: `[Q]` index of each request's split, `splits.OUTSIDE` for none.
      max_candidates: requests with more are cut into several records.
    """

    def __init__(
        self,
        schema: ExampleSchema,
        tables: broadcast.Tables,
        events: pa.Table,
        requests: Requests,
        split: np.ndarray,
        max_candidates: int,
    ):
        self._schema, self._tables, self._requests = schema, tables, requests
        columns = {name: events[name].to_numpy() for name in events.column_names}
        order, behaviors = requests.order, requests.behaviors
        self._item = columns["item"][order]
        self._labels = {name: columns[f"label_{name}"][order] for name in schema.labels}
        self._behavior_item = columns["item"][behaviors]
        self._behavior_time = columns["time"][behaviors]
        self._behavior_type = columns["type"].astype(np.int64)[behaviors]
        embeddings = tables.embeddings
        item_rows = {name: embeddings[name].rows(columns["item"]) for name in embeddings}
        self._embedding_rows = {name: rows[order] for name, rows in item_rows.items()}
        self._behavior_rows = {name: rows[behaviors] for name, rows in item_rows.items()}
        self._side_rows = broadcast.rows(tables.items.ids, self._item)
        self._context = self._context_features(columns)
        self._request, self._low, self._high = _cut(requests, split, max_candidates)
        self._split = split[self._request]

    def has_embedding(self, modality: str) -> np.ndarray:
        """Returns whether each event in the order of requests has an embedding, `[E]` bool."""
        return self._embedding_rows[modality] < self._tables.embeddings[modality].item_ids.size

    def blocks(self) -> Iterator[Block]:
        """Yields all records, in order."""
        start = 0
        while start < len(self._request):
            stop = self._block_end(start)
            yield self._encode(slice(start, stop))
            start = stop

    def _context_features(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns `[Q, K]` by name: columns of a request's first event, then user features."""
        requests, users = self._requests, self._tables.users
        first = requests.order[requests.starts[:-1]]
        user_rows = broadcast.rows(users.ids, requests.user)
        values = {}
        for feature in self._schema.context_features:
            if feature.name in users.values:
                values[feature.name] = users.values[feature.name][user_rows]
            else:
                values[feature.name] = columns[f"context_{feature.name}"][first][:, None]
        return values

    def _block_end(self, start: int) -> int:
        """Returns where a block ends, so that its matrix product stays small."""
        requests = self._requests
        ahead = slice(start, start + _BLOCK_CANDIDATES)
        request = self._request[ahead]
        candidates = self._high[ahead] - self._low[start]
        behaviors = requests.history_end[request] - requests.history_start[request[0]]
        fits = (candidates <= _BLOCK_CANDIDATES) & (behaviors <= _BLOCK_BEHAVIORS)
        return start + max(1, int(np.argmin(fits)) if not fits.all() else len(fits))

    def _encode(self, part: slice) -> Block:
        requests = self._requests
        request, low, high = self._request[part], self._low[part], self._high[part]
        start, end = requests.history_start[request], requests.history_end[request]
        time = requests.time[request]
        window = _Window(low, high, start, end, time)
        flat_codes, counts = self._codes(window, self._split[part] == 0)
        vectors = self._candidate_vectors(window)
        item_features = {
            feature.name: self._tables.items.values[feature.name][
                self._side_rows[window.candidates]
            ]
            for feature in self._schema.item_features
        }
        offsets = window.offsets
        serialized = []
        for r in range(len(request)):
            candidates = slice(low[r], high[r])
            history = slice(start[r], end[r])
            local = slice(low[r] - window.candidates.start, high[r] - window.candidates.start)
            codes = slice(offsets[r], offsets[r + 1])
            record = Request(
                user_id=requests.user[request[r]],
                request_id=requests.request[request[r]],
                timestamp=time[r],
                history_item_id=self._behavior_item[history],
                history_time_gap=(time[r] - self._behavior_time[history]) // _MICROSECONDS,
                history_type=self._behavior_type[history],
                candidate_item_id=self._item[candidates],
                labels={name: values[candidates] for name, values in self._labels.items()},
                similarity={name: values[codes] for name, values in flat_codes.items()},
                candidate_embedding={name: values[local] for name, values in vectors.items()},
                item_features={name: values[local] for name, values in item_features.items()},
                context_features={
                    name: values[request[r]] for name, values in self._context.items()
                },
            )
            serialized.append(encode_request(self._schema, record))
        return Block(self._split[part], time, serialized, counts)

    def _codes(
        self, window: "_Window", train: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Returns each modality's codes, records one after another, and their counts."""
        positive = self._labels[self._schema.primary_label][window.candidate] > 0
        counted = train[window.record]
        flat, counts = {}, {}
        for modality in self._schema.modalities:
            embedding_set = self._tables.embeddings[modality.name]
            candidate_rows = self._embedding_rows[modality.name][window.candidates]
            behavior_rows = self._behavior_rows[modality.name][window.behaviors]
            matrix = similarity.codes(
                embedding_set.quantized[candidate_rows],
                embedding_set.norms[candidate_rows],
                embedding_set.quantized[behavior_rows],
                embedding_set.norms[behavior_rows],
            )
            codes = matrix[
                window.candidate - window.candidates.start, window.behavior - window.behaviors.start
            ]
            candidate_from = embedding_set.available_at[candidate_rows]
            behavior_from = embedding_set.available_at[behavior_rows]
            known_from = np.maximum(
                candidate_from[window.candidate - window.candidates.start],
                behavior_from[window.behavior - window.behaviors.start],
            )
            codes[known_from > window.time[window.record]] = similarity.UNKNOWN_CODE
            flat[modality.name] = codes
            code = codes[counted] + similarity.CODES * positive[counted].astype(np.int64)
            counts[modality.name] = np.bincount(code, minlength=2 * similarity.CODES).reshape(2, -1)
        return flat, counts

    def _candidate_vectors(self, window: "_Window") -> dict[str, np.ndarray]:
        """Returns the block's candidate vectors, zero where not yet available."""
        vectors = {}
        time = np.repeat(window.time, window.high - window.low)
        for modality in self._schema.modalities:
            if not modality.candidate_embedding:
                continue
            embedding_set = self._tables.embeddings[modality.name]
            rows = self._embedding_rows[modality.name][window.candidates].copy()
            inside = (
                np.concatenate(
                    [np.arange(a, b) for a, b in zip(window.low, window.high, strict=True)]
                )
                - window.candidates.start
            )
            late = embedding_set.available_at[rows[inside]] > time
            rows[inside[late]] = embedding_set.item_ids.size
            vectors[modality.name] = embedding_set.quantized[rows]
        return vectors


class _Window:
    """The pairs of candidate and behavior in a block, flat, records one after another.

    Attributes:
      low: `[records]` first candidate.
      high: `[records]` one past the last.
      time: `[records]`.
      candidates: the block's range of candidates.
      behaviors: the block's range of behaviors.
      record: `[pairs]` the record of each pair.
      candidate: `[pairs]`.
      behavior: `[pairs]`.
      offsets: `[records + 1]` where each record's pairs begin.
    """

    def __init__(
        self,
        low: np.ndarray,
        high: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        time: np.ndarray,
    ):
        self.low, self.high, self.time = low, high, time
        self.candidates = slice(int(low[0]), int(high[-1]))
        self.behaviors = slice(int(start.min()), int(max(end.max(), start.min())))
        lengths = end - start
        pairs = (high - low) * lengths
        self.offsets = np.append(0, np.cumsum(pairs))
        self.record = np.repeat(np.arange(len(low)), pairs)
        within = np.arange(self.offsets[-1]) - self.offsets[self.record]
        width = lengths[self.record]
        self.candidate = low[self.record] + within // width
        self.behavior = start[self.record] + within % width


def _cut(
    requests: Requests, split: np.ndarray, max_candidates: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns each record's request, first candidate and one past its last."""
    inside = np.flatnonzero(split != splits.OUTSIDE)
    first, last = requests.starts[:-1][inside], requests.starts[1:][inside]
    pieces = -(-(last - first) // max_candidates)
    request = np.repeat(inside, pieces)
    piece = np.arange(len(request)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    low = requests.starts[request] + piece * max_candidates
    return request, low, np.minimum(low + max_candidates, requests.starts[request + 1])
