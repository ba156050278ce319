"""Statistics of an embedding set, streamed, and its coverage of a behavior log."""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from features.embeddings import availability, byte_vectors
from features.embeddings.availability import AVAILABLE_AT
from features.embeddings.vector_types import VECTORS, fixed_width, is_vector
from features.errors import UserInputError
from features.files import manifest, storage
from pipeline.statistics import columns, log
from pipeline.statistics.database import one_row, parquet_dataset
from pipeline.tables import parquet

_BATCH_ROWS = 4096
_TABLE = "vectors"
_GOOD = "good"
_REASONS = ("item_id is null", "embedding is null", "wrong length", "NaN or infinity")


def embedding_statistics(
    connection: duckdb.DuckDBPyConnection, modality: str, folder: str, log_type: str | None = None
) -> dict[str, Any]:
    """Returns the statistics of an embedding set.

    Args:
      connection: an open database; where `log_type` is given, with a log's tables.
      modality: for messages.
      folder: the set's folder or file.
      log_type: the type of `item_id` of the log whose coverage is counted; None for none.

    Returns:
      JSON values: `rows`, `dimension`, `type`, `id_type`, `usable` items, `rejected` rows by
      reason (as the join rejects them, repeated ids included), `zero` vectors (which count as
      missing), `distinct` vectors, `largest_group` of items with one and the same vector,
      `norm` (see `columns.number_statistics`), `available_at` (`min`, `median` and `max`,
      microseconds; None where there is none), and `coverage` where there is a log: `events` and
      `items` that have an embedding that is not zero, the same as `event_share` and `item_share`,
      `in_time_share` of the events whose embedding is available by then, and `unused` items.

    Raises:
      UserInputError: a file is unreadable or lacks a column or has it in another type.
    """
    flag = f"embeddings {modality}"
    dataset = parquet_dataset(folder, flag)
    schema = dataset.schema
    parquet.check_column(folder, schema, "item_id", parquet.is_id, "int64 or string")
    parquet.check_column(folder, schema, "embedding", is_vector, VECTORS)
    if AVAILABLE_AT in schema.names:
        parquet.check_column(
            folder, schema, AVAILABLE_AT, availability.is_time, availability.EXPECTED
        )
    width = _dimension(folder, dataset)
    connection.register("stream", _reader(dataset, width, flag))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_TABLE} AS SELECT * FROM stream")
    connection.unregister("stream")
    found = _rows(connection, width)
    found |= {
        "type": str(schema.field("embedding").type),
        "id_type": str(schema.field("item_id").type),
    }
    if log_type is not None:
        alike = log_type.endswith("string") == parquet.is_text(schema.field("item_id").type)
        found["coverage"] = _coverage(connection, alike)
    return found


def _dimension(folder: str, dataset: pads.Dataset) -> int:
    """Returns M of the manifest or the type, else the most frequent length of the first rows."""
    if storage.exists(storage.join(folder, manifest.FILE_NAME)):
        return int(manifest.read_manifest(folder)["dimension"])
    width = fixed_width(dataset.schema.field("embedding").type)
    if width is not None:
        return width
    lengths = pc.list_value_length(dataset.head(_BATCH_ROWS, columns=["embedding"])["embedding"])
    return pc.mode(lengths)[0]["mode"].as_py() if len(lengths.drop_null()) else 1


def _reader(dataset: pads.Dataset, width: int, flag: str) -> pa.RecordBatchReader:
    """Streams one row per vector: `id`, `reason`, `norm`, `digest` and `available_at`."""
    has_times = AVAILABLE_AT in dataset.schema.names
    names = ["item_id", "embedding", *([AVAILABLE_AT] * has_times)]
    id_type = pa.string() if parquet.is_text(dataset.schema.field("item_id").type) else pa.int64()
    facts = {"reason": pa.string(), "norm": pa.float64(), "digest": pa.uint64()}
    schema = pa.schema({"id": id_type, **facts, "available_at": pa.int64()})
    # A digest is the dot product with fixed odd factors, modulo 2^64.
    factors = np.random.default_rng(0).integers(1, 2**63, width, np.uint64) * 2 + 1

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in dataset.to_batches(columns=names, batch_size=_BATCH_ROWS):
                reason, norm, digest = _facts(batch, width, factors)
                time = (
                    _times(batch[AVAILABLE_AT]) if has_times else pa.nulls(len(batch), pa.int64())
                )
                yield pa.record_batch(
                    [batch["item_id"].cast(id_type), reason, norm, digest, time],
                    schema=schema,
                )
        except (pa.ArrowException, OSError) as error:
            raise UserInputError(
                f"--{flag}: cannot be read: {error}. Write it again; a fixed-size list must hold "
                "no null, so leave such rows out or write a plain list."
            ) from error

    return pa.RecordBatchReader.from_batches(schema, batches())


def _facts(
    batch: pa.RecordBatch, width: int, factors: np.ndarray
) -> tuple[pa.Array, pa.Array, pa.Array]:
    embedding = byte_vectors.as_lists(batch["embedding"])
    lengths = pc.fill_null(pc.list_value_length(embedding), -1).to_numpy(zero_copy_only=False)
    complete = lengths == width
    values = pc.list_flatten(embedding.filter(pa.array(complete)))
    vectors = np.full((batch.num_rows, width), np.nan, np.float32)
    vectors[complete] = values.to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, width)
    finite = np.isfinite(vectors).all(axis=1)
    null = batch["item_id"].is_null().to_numpy(False)
    reasons = np.select([null, lengths < 0, ~complete, ~finite], _REASONS, _GOOD)
    known = np.where(finite[:, None], vectors, 0)
    norm = np.sqrt(np.einsum("nm,nm->n", known, known, dtype=np.float64))
    # Adding zero makes -0 and 0 one number.
    bits = np.ascontiguousarray(known + np.float32(0)).view(np.uint32).astype(np.uint64)
    return pa.array(reasons), pa.array(norm), pa.array(bits @ factors)


def _times(column: pa.Array) -> pa.Array:
    times = availability.microseconds(pa.chunked_array([column]))
    return pa.array(times, mask=times == availability.ALWAYS)


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


def _coverage(connection: duckdb.DuckDBPyConnection, alike: bool) -> dict[str, Any]:
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
        covered = one_row(
            connection,
            f"SELECT (SELECT count(*) FROM {usable}), count(*), coalesce(sum(n), 0), "
            f"(SELECT count(*) FROM {log.TIMES} JOIN {usable} ON item_id = id "
            "WHERE available_at IS NULL OR available_at <= time), "
            f"(SELECT count(*) FROM {log.TIMES}) "
            f"FROM {log.ITEM_COUNTS} JOIN {usable} ON value = id",
        )
    known, found, found_events, in_time, timed = map(int, covered)
    return {
        "same_kind_of_id": alike,
        "items": found,
        "item_share": found / items if items else 0.0,
        "events": found_events,
        "event_share": found_events / int(events) if events else 0.0,
        "in_time_share": in_time / timed if timed else 0.0,
        "unused": known - found,
        "events_without_item": int(rows - events),
    }
