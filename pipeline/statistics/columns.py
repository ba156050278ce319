"""Statistics of one column, from how often each of its values occurs.

Counting values groups a column once, on disk where memory does not hold the groups. All figures
are computed from those counts in the order of values: the same data gives the same figures.
"""

import math
from typing import Any

import duckdb

from pipeline.statistics.database import identifier, one_row

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""Probabilities of the quantiles."""

TOP_VALUES = 64
"""The number of most frequent values that are listed; of a column with fewer, all are."""

_BINS_PER_OCTAVE = 8


def count_values(
    connection: duckdb.DuckDBPyConnection, source: str, column: str, table: str
) -> None:
    """Makes, or replaces, a temporary table `value`, `n`: how often each value occurs."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS "
        f"SELECT {identifier(column)} AS value, count(*) AS n FROM {source} GROUP BY 1"
    )


def value_statistics(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    """Returns the summary statistics of any column, from the table of `count_values`.

    Returns:
      `rows`, `nulls`, `distinct` (without null), and `top`: the most frequent values with their
      rows, ties by value; all values where there are at most `TOP_VALUES`.
    """
    rows, nulls, distinct = one_row(
        connection,
        "SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (value IS NULL), 0), count(value) "
        f"FROM {table}",
    )
    top = connection.execute(
        f"SELECT value, n FROM {table} WHERE value IS NOT NULL "
        f"ORDER BY n DESC, value LIMIT {TOP_VALUES}"
    ).fetchall()
    return {
        "rows": int(rows),
        "nulls": int(nulls),
        "distinct": int(distinct),
        "top": [[_plain(value), int(n)] for value, n in top],
    }


def number_statistics(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    """Returns the summary statistics that only numbers and booleans have.

    Returns:
      `not_finite` rows, and over the finite ones `min`, `max`, `mean`, `std`, `quantiles` (the
      least value with at least that share of rows up to it) and `histogram`: `[low, high, rows]`
      with edges that do not depend on the data, eight per octave, so two histograms can be
      compared.
    """
    values = (
        f"(SELECT CAST(value AS DOUBLE) AS value, n FROM {table} "
        "WHERE value IS NOT NULL AND isfinite(CAST(value AS DOUBLE)))"
    )
    total, finite, low, high = one_row(
        connection,
        f"SELECT (SELECT coalesce(sum(n), 0) FROM {table} WHERE value IS NOT NULL), "
        f"coalesce(sum(n), 0), min(value), max(value) FROM {values}",
    )
    not_finite = {"not_finite": int(total - finite)}
    if not finite:
        return not_finite
    # Scaled to [-1, 1], no square overflows.
    scale = max(abs(low), abs(high)) or 1.0
    scaled = f"value / CAST({scale!r} AS DOUBLE)"
    mean = _sum(connection, f"{scaled} * n", values) / int(finite)
    square = f"pow({scaled} - CAST({mean!r} AS DOUBLE), 2)"
    variance = _sum(connection, f"{square} * n", values) / int(finite)
    return {
        **not_finite,
        "min": low,
        "max": high,
        "mean": scale * mean,
        "std": scale * math.sqrt(variance),
        "quantiles": _quantiles(connection, values, int(finite)),
        "histogram": _histogram(connection, values),
    }


def id_statistics(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    """Returns the summary statistics that only ids have.

    Returns:
      `rows_per_id`: `[least, most, ids, rows]` for 1, 2 to 3, 4 to 7 rows and so on;
      `top_percent_rows`: the rows of the most frequent hundredth of the ids (at least one id);
      `empty`: the rows whose id is the empty string.
    """
    groups = connection.execute(
        "SELECT CAST(floor(log2(n)) AS INTEGER) AS power, count(*), sum(n) "
        f"FROM {table} WHERE value IS NOT NULL GROUP BY 1 ORDER BY 1"
    ).fetchall()
    ids = sum(group[1] for group in groups)
    top = one_row(
        connection,
        f"SELECT coalesce(sum(n), 0) FROM (SELECT n FROM {table} WHERE value IS NOT NULL "
        f"ORDER BY n DESC LIMIT {max(1, math.ceil(ids / 100))})",
    )
    empty = one_row(
        connection,
        f"SELECT coalesce(sum(n), 0) FROM {table} WHERE CAST(value AS VARCHAR) = ''",
    )
    return {
        "rows_per_id": [
            [2**power, 2 ** (power + 1) - 1, int(ids), int(rows)] for power, ids, rows in groups
        ],
        "top_percent_rows": int(top[0]),
        "empty": int(empty[0]),
    }


def _sum(connection: duckdb.DuckDBPyConnection, expression: str, values: str) -> float:
    """Returns a sum of floats, rounded once, so that the order in which threads add is no matter.

    Computed in Python, as DuckDB holds all values in memory to add them in order.
    """
    reader = connection.sql(f"SELECT {expression} FROM {values}").to_arrow_reader()
    return math.fsum(value for batch in reader for value in batch.column(0).to_numpy().tolist())


def _quantiles(
    connection: duckdb.DuckDBPyConnection, values: str, rows: int
) -> list[tuple[float, float]]:
    ranks = [max(1, -(-round(100 * share) * rows // 100)) for share in QUANTILES]
    wanted = ", ".join(f"min(value) FILTER (upto >= {rank})" for rank in ranks)
    found = one_row(
        connection,
        f"SELECT {wanted} FROM (SELECT value, sum(n) OVER "
        f"(ORDER BY value ROWS UNBOUNDED PRECEDING) AS upto FROM {values})",
    )
    return list(zip(QUANTILES, found, strict=True))


def _histogram(connection: duckdb.DuckDBPyConnection, values: str) -> list[list[float]]:
    """Counts by sign and logarithm; powers of two are in the middle of a bin, not on an edge."""
    bins = connection.execute(
        "SELECT CAST(sign(value) AS INTEGER) AS side, CASE WHEN value = 0 THEN 0 ELSE "
        f"CAST(round(log2(abs(value)) * {_BINS_PER_OCTAVE}) AS INTEGER) END AS bin, sum(n) "
        f"FROM {values} GROUP BY 1, 2"
    ).fetchall()
    edges = []
    for side, position, rows in bins:
        near, far = (2 ** ((position + half) / _BINS_PER_OCTAVE) for half in (-0.5, 0.5))
        low, high = (0.0, 0.0) if not side else (near, far) if side > 0 else (-far, -near)
        edges.append([low, high, int(rows)])
    return sorted(edges)


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it; texts come as bytes, which need not be UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    plain = isinstance(value, (bool, int, str))
    return value if plain or (isinstance(value, float) and math.isfinite(value)) else str(value)
