"""Tables of the smaller benchmarks, and what each results file was measured with."""

from collections.abc import Sequence

from docs_build import results
from docs_build.figures import ATTENTION, BACKFILL, SERVING_LOAD
from docs_build.tables.table import Table, markdown

_ENVIRONMENT = {
    "cpus": "CPUs",
    "tensorflow": "TensorFlow",
    "apache-beam": "Beam",
    "pyarrow": "pyarrow",
    "numpy": "NumPy",
    "python": "Python",
}


def _attention() -> str:
    """Time of an attention layer by history, to the factorized form."""
    names = {"id_only": "ids alone", "materialized": "materialized", "early_fusion": "early fusion"}
    rows = [
        (f"{history:,}", *(ATTENTION[f"attention.{way}.{history}"].text() for way in names))
        for history in (50, 200, 1000)
    ]
    return markdown(("behaviors", *names.values()), rows, numeric=True)


def _backfill() -> str:
    """Three backfills of one catalog."""
    names = {
        "all": "the whole catalog",
        "new_items": "the same and 1% new items",
        "again": "nothing new",
    }
    rows = [
        (text, *(BACKFILL[f"backfill.{run}.{field}"].text() for field in _BACKFILL_FIELDS))
        for run, text in names.items()
    ]
    head = ("run", "items computed", "seconds of processor", "peak MiB")
    return markdown(head, rows, numeric=True)


_BACKFILL_FIELDS = ("computed", "cpu_seconds", "peak_mib")


def _serving_load() -> str:
    """The server's memory under load."""
    names = {
        "start": "before the first request",
        "after_warmup": "after each kind of request",
        "end": "at the end",
    }
    rows = [(text, SERVING_LOAD[f"serving_load.{name}_mib"].text()) for name, text in names.items()]
    return markdown(("when", "resident memory, MiB"), rows, numeric=True)


def _indexes() -> str:
    """Ways to find an item's row inside the model."""
    lookups = results.load("content_lookup.json")["lookup"]
    names = {
        "binary_search": "bisection (`tf.searchsorted`)",
        "hash_buckets": "**hash buckets** (this project)",
        "open_addressing": "open addressing, linear probes",
        "static_hash_table": "`StaticHashTable`",
        "dense_hash_table": "`MutableDenseHashTable`",
    }
    rows = []
    for way, text in names.items():
        found = [
            results.pick(lookups, way=way, items=items) for items in (10_000, 100_000, 1_000_000)
        ]
        speed = [f"{one['speed_up']:.2f}" for one in found]
        last = found[-1]
        index, load = f"{last['index_bytes_an_item']:.1f}", f"{last['index_load_ms']:,.0f}"
        rows.append((text, *speed, index, load))
    head = (
        *("way", "10,000 items", "100,000", "1,000,000"),
        *("index, bytes per item of a million", "its load, ms"),
    )
    return markdown(head, rows, numeric=True)


def _embedding_sets_inside() -> str:
    """A model with its embedding sets inside, and with vectors in the request."""
    rows = []
    for one in results.load("content_lookup.json")["models"]:
        ids, vectors = one["variants"]["ids"], one["variants"]["vectors"]
        rows.append(
            (
                f"{one['items']:,}",
                *(f"{each['saved_model_bytes'] / 1e6:.1f} MB" for each in (ids, vectors)),
                f"{ids['request_bytes'] / 1e3:.0f} KB",
                f"{vectors['request_bytes'] / 1e6:.2f} MB",
                f"{one['latency_ratio']:.2f}",
            )
        )
    head = (
        *("items", "SavedModel, sets inside", "SavedModel, vectors in the request"),
        *("request by ids", "request with vectors", "`score_request`, inside to vectors"),
    )
    return markdown(head, rows, numeric=True)


def _environments(files: Sequence[str]) -> str:
    """What the results were measured with."""
    rows = []
    for file in files:
        environment = results.load(file)["environment"]
        rows.append((f"`{file}`", *(environment.get(name, "") for name in _ENVIRONMENT)))
    return markdown(("results", *_ENVIRONMENT.values()), rows)


def _of_all_files() -> str:
    return _environments(results.files())


TABLES: dict[str, Table] = {
    "attention.ways": _attention,
    "backfill.runs": _backfill,
    "serving_load.memory": _serving_load,
    "content_lookup.indexes": _indexes,
    "content_lookup.models": _embedding_sets_inside,
    "environments": _of_all_files,
}
