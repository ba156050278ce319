"""Tables of the measured look-up of vectors inside the model."""

from docs_build import results
from docs_build.tables.table import Table, markdown

_WAYS = {
    "binary_search": "bisection (`tf.searchsorted`)",
    "hash_buckets": "**hash buckets** (ours)",
    "open_addressing": "open addressing, linear probes",
    "static_hash_table": "`StaticHashTable`",
    "dense_hash_table": "`MutableDenseHashTable`",
}
_CATALOGS = (10_000, 100_000, 1_000_000)


def _ways() -> str:
    """Speed of each way to find an item's row, relative to bisection, by size of the catalog."""
    held = results.load("content_lookup.json")["lookup"]
    rows = []
    for way, title in _WAYS.items():
        of_way = [results.pick(held, way=way, items=items) for items in _CATALOGS]
        largest = of_way[-1]
        rows.append(
            (
                title,
                *(f"{one['speed_up']:.2f}" for one in of_way),
                f"{largest['index_bytes_an_item']:.1f}",
                f"{largest['index_load_ms']:,.0f} ms",
            )
        )
    head = (
        "way",
        *(f"speed, {items:,} items" for items in _CATALOGS),
        "index bytes per item of a million",
        "its load",
    )
    return markdown(head, rows, numeric=True)


def _models() -> str:
    """Sizes with the sets inside, and with vectors in the request."""
    rows = []
    for one in results.load("content_lookup.json")["models"]:
        inside, sent = (one["variants"][name] for name in ("ids", "vectors"))
        rows.append(
            (
                f"{one['items']:,}",
                *(f"{way['saved_model_bytes'] / 1e6:.1f} MB" for way in (inside, sent)),
                f"{inside['request_bytes'] / 1e3:.0f} KB",
                f"{sent['request_bytes'] / 1e6:.2f} MB",
                f"{one['latency_ratio']:.2f}",
            )
        )
    head = (
        "items",
        "SavedModel, sets inside",
        "vectors in the request",
        "request by ids",
        "request with vectors",
        "time, inside to sent",
    )
    return markdown(head, rows, numeric=True)


TABLES: dict[str, Table] = {"content_lookup.ways": _ways, "content_lookup.models": _models}
