"""A part's bytes: item ids in order, and the projections of each."""

import hashlib
import io
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.embeddings import byte_vectors
from serving_signatures import names
from serving_signatures.client.cache_parts import ITEM_ID, TAG_KEY

ROW_GROUP = 4096
"""Rows per row group, the least that can be read."""

SOURCE = "source"
"""Hash of what a target-aware row was computed from, int64."""


def has_source(cache: str) -> bool:
    """Whether a cache's parts hold what each row was computed from."""
    return cache == names.TARGET_AWARE_PROJECTIONS


def encode(
    cache: str,
    tag: str,
    item_ids: np.ndarray,
    sources: np.ndarray,
    columns: Mapping[str, np.ndarray],
) -> bytes:
    """Returns a part as Parquet; the same rows are the same bytes.

    Args:
      cache: its name.
      tag: what the rows depend on.
      item_ids: `[N]` int64, ascending.
      sources: `[N]` int64.
      columns: `[N, ...]` float32 or int8 by output.
    """
    arrays: dict[str, pa.Array] = {ITEM_ID: pa.array(item_ids)}
    if has_source(cache):
        arrays[SOURCE] = pa.array(sources)
    for name in sorted(columns):
        arrays[name] = _column(columns[name])
    table = pa.table(arrays).replace_schema_metadata({"cache": cache, TAG_KEY.decode(): tag})
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        row_group_size=ROW_GROUP,
        use_dictionary=False,
        write_statistics=[ITEM_ID],
        compression="NONE",
    )
    return sink.getvalue()


def _column(values: np.ndarray) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    rows = np.ascontiguousarray(values).reshape(len(values), -1)
    if rows.dtype == np.int8:
        return byte_vectors.to_column(rows)
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])


def entry(data: bytes, rows: int) -> dict[str, object]:
    """Returns a part's entry in a version's manifest."""
    digest = hashlib.sha256(data).hexdigest()
    return {"file": f"{digest}.parquet", "rows": rows, "sha256": digest}
