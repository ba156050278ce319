"""Tables of the join's benchmark."""

from docs_build.join_figures import JOIN
from docs_build.tables.table import Table, markdown


def _figure(name: str) -> str:
    return JOIN[f"join.{name}"].text()


def _ways() -> str:
    """The ways to join one log of a million events."""
    rows = [
        (
            "row-wise Beam: dictionaries, `GroupByKey`, float vectors in the record",
            f"{_figure('rowwise_seconds')}, estimated from 100,000 events",
            f"{_figure('rowwise_bytes_ratio')} times this join's",
        ),
        ("**this join**", f"**{_figure('seconds')}**", f"{_figure('mib')} MiB"),
        (
            "limit: one process without Beam that writes the same records",
            _figure("limit_seconds"),
            f"{_figure('mib')} MiB",
        ),
        (
            "this join, 10 million events",
            f"{_figure('large_seconds')} ({_figure('large_peak_mib')} MiB of memory)",
            f"{_figure('large_mib')} MiB",
        ),
    ]
    return markdown(("way", "seconds", "bytes"), rows)


TABLES: dict[str, Table] = {"join.ways": _ways}
