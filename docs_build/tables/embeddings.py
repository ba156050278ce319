"""Tables of the error of quantization and of embedding sets inside a model."""

from docs_build import results
from docs_build.tables.table import Table, markdown

_SETS = {
    "movielens_text": "MovieLens, titles and genres by a sentence encoder",
    "movielens_image": "MovieLens, posters by an image encoder",
    "microlens_text": "MicroLens, titles by a sentence encoder",
    "simulated_text": "`pipeline.simulate`, `text`",
    "simulated_image": "`pipeline.simulate`, `image`",
}
_WAYS = {
    "binary_search": "bisection (`tf.searchsorted`)",
    "hash_buckets": "**hash buckets**, this project's",
    "open_addressing": "open addressing, linear probes",
    "static_hash_table": "`StaticHashTable`",
    "dense_hash_table": "`MutableDenseHashTable`",
}


def _quantization() -> str:
    """Errors of the code against exact cosines, one row per set."""
    rows = []
    for row in results.load("quantization.json")["rows"]:
        errors = ("quantized_mean_error", "code_mean_error", "code_largest_error")
        rows.append(
            (
                _SETS[row["set"]],
                str(row["dimension"]),
                *(f"{row[name]:.4f}" for name in errors),
                f"{row['mean_rank_correlation']:.4f}",
                f"{100 * row['other_bucket']:.1f}%",
            )
        )
    head = ("set", "M", "int8, mean error", "code, mean error", "code, largest error")
    return markdown((*head, "rank correlation", "other bucket"), rows, numeric=True)


def _lookup() -> str:
    """Ways to find an item's row, by the number of items."""
    lookup = results.load("content_lookup.json")["lookup"]
    rows = []
    for way, title in _WAYS.items():
        of_way = {row["items"]: row for row in lookup if row["way"] == way}
        largest = of_way[1_000_000]
        rows.append(
            (
                title,
                *(f"{of_way[items]['speed_up']:.2f}" for items in sorted(of_way)),
                f"{largest['index_bytes_an_item']:.1f}",
                f"{largest['index_load_ms']:,.0f}",
            )
        )
    head = ("way", "speed, 10,000 items", "100,000", "1,000,000")
    return markdown((*head, "bytes per item", "load, ms"), rows, numeric=True)


def _inside() -> str:
    """A model with its sets inside, and with vectors in the request."""
    rows = []
    for row in results.load("content_lookup.json")["models"]:
        ids, vectors = row["variants"]["ids"], row["variants"]["vectors"]
        rows.append(
            (
                f"{row['items']:,}",
                *(f"{one['saved_model_bytes'] / 1e6:,.1f} MB" for one in (ids, vectors)),
                f"{ids['request_bytes'] / 1e3:,.0f} KB",
                f"{vectors['request_bytes'] / 1e6:,.2f} MB",
                f"{row['latency_ratio']:.2f}",
            )
        )
    head = ("items", "SavedModel, sets inside", "vectors in the request", "request of ids")
    return markdown((*head, "request with vectors", "time, inside to vectors"), rows, numeric=True)


TABLES: dict[str, Table] = {
    "embeddings.quantization": _quantization,
    "embeddings.lookup": _lookup,
    "embeddings.inside": _inside,
}
