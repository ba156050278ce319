"""Statistics of an embedding set, streamed, and its coverage of a behavior log."""

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.embeddings import (
    availability,
    embedding_files,
    set_manifest,
    vector_rows,
    vector_types,
    vector_width,
)
from features.embeddings.availability import AVAILABLE_AT
from features.tables import kinds
from features.tables.options import DEFAULT, TableOptions
from features.tables.table import Table
from pipeline.statistics import columns, log, streams
from pipeline.statistics.database import one_row
from pipeline.statistics.log_source import ITEM_ID, OpenLog

_BATCH_ROWS = 4096
_TABLE = "vectors"
_VECTOR = "embedding"
_GOOD = "good"
_REASONS = ("item_id is null", "embedding is null", "wrong length", "NaN or infinity")


def open_set(
    modality: str, locations: str | Sequence[str], tables: TableOptions = DEFAULT
) -> Table:
    """Opens an embedding set.

    Raises:
      UserInputError: a file is unreadable or lacks a column or has it in another type.
    """
    return embedding_files.open_vectors(locations, f"embeddings {modality}", tables)


def embedding_statistics(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    of_log: OpenLog | None = None,
) -> dict[str, Any]:
    """Returns the statistics of an embedding set.

    Args:
      connection: an open database; where there is a log, with its `log.ITEM_COUNTS`.
      table: the set, from `open_set`.
      of_log: the log whose coverage is counted; None for none.

    Returns:
      JSON values: `files` (see `streams.files`), `rows`, `dimension`, `type`, `id_type`, `usable`
      items, `rejected` rows by reason (as the join rejects them, repeated ids included), `zero`
      vectors (which count as missing), `distinct` vectors, `largest_group` of items with one and
      the same vector, `norm` (see `columns.number_statistics`), `available_at` (`min`, `median`
      and `max`, microseconds; None where there is none), and `coverage` where there is a log:
      `events` and `items` that have an embedding that is not zero, the same as `event_share` and
      `item_share`, `in_time_share` of the events whose embedding is available by then, and
      `unused` items.

    Raises:
      UserInputError: a file is unreadable.
    """
    width = set_manifest.dimension(table) or vector_width.most_frequent(table)
    with streams.registered(connection, "vector_stream", *_stream(table, width)):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_TABLE} AS SELECT * FROM vector_stream")
    found = _rows(connection, width)
    of, read_as = table.schema.columns, table.reader.kinds
    found |= {
        "files": streams.files(table),
        "type": str(of[_VECTOR].received),
        "id_type": streams.type_name(of[ITEM_ID].received, read_as[ITEM_ID]),
    }
    if of_log is not None:
        log_kind = of_log.table.reader.kinds[ITEM_ID]
        alike = kinds.is_text(log_kind) == kinds.is_text(read_as[ITEM_ID])
        found["coverage"] = _coverage(connection, of_log, alike)
    return found


def _stream(table: Table, width: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Streams one row per vector: `id`, `reason`, `norm`, `digest` and `available_at`."""
    has_times = table.has(AVAILABLE_AT)
    names = [ITEM_ID, _VECTOR, *([AVAILABLE_AT] * has_times)]
    id_type = streams.streamed_type(table.reader.kinds[ITEM_ID])
    facts = {"reason": pa.string(), "norm": pa.float64(), "digest": pa.uint64()}
    schema = pa.schema({"id": id_type, **facts, AVAILABLE_AT: pa.int64()})
    # A digest is the dot product with fixed odd factors, modulo 2^64.
    factors = np.random.default_rng(0).integers(1, 2**63, width, np.uint64) * 2 + 1

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in _batches(table, names):
            ids = streams.streamed(batch[ITEM_ID])
            time = _times(batch[AVAILABLE_AT]) if has_times else pa.nulls(len(batch), pa.int64())
            yield pa.record_batch([ids, *_facts(batch, width, factors), time], schema=schema)

    return schema, batches()


def _batches(table: Table, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Yields small batches of a set, whose vectors are wide."""
    for unit in table.units:
        try:
            for batch, _ in table.reader.read(unit, names, _BATCH_ROWS):
                yield batch
        except (pa.ArrowException, OSError) as error:
            raise vector_rows.unreadable_vectors(table.flag, unit, error) from error


def _times(column: pa.Array) -> pa.Array:
    found = availability.microseconds(pa.chunked_array([column]))
    return pa.array(found, mask=found == availability.ALWAYS)


def _facts(
    batch: pa.RecordBatch, width: int, factors: np.ndarray
) -> tuple[pa.Array, pa.Array, pa.Array]:
    embedding = vector_types.as_lists(batch[_VECTOR])
    lengths = pc.fill_null(pc.list_value_length(embedding), -1).to_numpy(zero_copy_only=False)
    complete = lengths == width
    values = pc.list_flatten(embedding.filter(pa.array(complete)))
    vectors = np.full((batch.num_rows, width), np.nan, np.float32)
    vectors[complete] = values.to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, width)
    finite = np.isfinite(vectors).all(axis=1)
    null = batch[ITEM_ID].is_null().to_numpy(False)
    reasons = np.select([null, lengths < 0, ~complete, ~finite], _REASONS, _GOOD)
    known = np.where(finite[:, None], vectors, 0)
    norm = np.sqrt(np.einsum("nm,nm->n", known, known, dtype=np.float64))
    # Adding zero makes -0 and 0 one number.
    bits = np.ascontiguousarray(known + np.float32(0)).view(np.uint32).astype(np.uint64)
    return pa.array(reasons), pa.array(norm), pa.array(bits @ factors)


def _rows(connection: duckdb.DuckDBPyConnection, width: int) -> dict[str, Any]:
    by_reason = f"SELECT reason, count(*) FROM {_TABLE} GROUP BY 1 ORDER BY 1"
    reasons = dict(connection.execute(by_reason).fetchall())
    good = f"{_TABLE} WHERE reason = '{_GOOD}'"
    usable, distinct, zero, first, median, last = one_row(
        connection,
        "SELECT count(DISTINCT id), count(DISTINCT digest), count(DISTINCT id) FILTER (norm = 0), "
        "min(available_at), quantile_disc(available_at, 0.5), max(available_at) "
        f"FROM {good}",
    )
    largest = one_row(
        connection,
        "SELECT coalesce(max(n), 0) FROM "
        f"(SELECT count(DISTINCT id) AS n FROM {good} AND norm > 0 GROUP BY digest)",
    )[0]
    repeated = reasons.get(_GOOD, 0) - usable
    rejected = {name: int(n) for name, n in reasons.items() if name != _GOOD}
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE norms AS SELECT norm AS value, count(*) AS n FROM {good} "
        "GROUP BY 1"
    )
    return {
        "rows": int(sum(reasons.values())),
        "dimension": width,
        "usable": int(usable),
        "rejected": {**rejected, **({"item_id appeared before": repeated} if repeated else {})},
        "zero": int(zero),
        "distinct": int(distinct),
        "largest_group": int(largest),
        "norm": columns.number_statistics(connection, "norms"),
        "available_at": (None if first is None else {"min": first, "median": median, "max": last}),
    }


def _coverage(
    connection: duckdb.DuckDBPyConnection, of_log: OpenLog, alike: bool
) -> dict[str, Any]:
    """Counts the items and events of the log with an embedding; 0 where ids differ in kind."""
    items, events, rows = one_row(
        connection,
        "SELECT count(value), coalesce(sum(n) FILTER (value IS NOT NULL), 0), sum(n) "
        f"FROM {log.ITEM_COUNTS}",
    )
    covered = (0, 0, 0, 0, 0)
    if alike:
        usable = (
            "(SELECT id, min(available_at) AS available_at FROM "
            f"{_TABLE} WHERE reason = '{_GOOD}' AND norm > 0 GROUP BY id)"
        )
        known = one_row(
            connection,
            f"SELECT (SELECT count(*) FROM {usable}), count(*), coalesce(sum(n), 0) "
            f"FROM {log.ITEM_COUNTS} JOIN {usable} ON value = id",
        )
        with streams.registered(connection, "timed_items", *of_log.timed_items()):
            in_time = one_row(
                connection,
                "SELECT count(*) FILTER (id IS NOT NULL AND (available_at IS NULL OR "
                f"available_at <= time)), count(*) FROM timed_items LEFT JOIN {usable} "
                f"ON {ITEM_ID} = id WHERE time IS NOT NULL",
            )
        covered = (*known, *in_time)
    usable_items, found, found_events, timely, timed = map(int, covered)
    return {
        "same_kind_of_id": alike,
        "items": found,
        "item_share": found / items if items else 0.0,
        "events": found_events,
        "event_share": found_events / int(events) if events else 0.0,
        "in_time_share": timely / timed if timed else 0.0,
        "unused": usable_items - found,
        "events_without_item": int(rows - events),
    }
