"""Tables of the smaller benchmarks, and what each results file was measured with."""

from docs_build import results
from docs_build.client_figures import BACKFILL, CLIENT, LOADING, REQUEST_LOG, SERVING_LOAD
from docs_build.figures import ATTENTION, FORMATS
from docs_build.tables.table import Table, markdown

_ENVIRONMENT = {
    "cpus": "cores",
    "python": "Python",
    "tensorflow": "TensorFlow",
    "tf-keras": "tf-keras",
    "tensorflow-recommenders": "TensorFlow Recommenders",
    "apache-beam": "Apache Beam",
    "pyarrow": "pyarrow",
    "numpy": "NumPy",
    "duckdb": "DuckDB",
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


def _client() -> str:
    """A client of one, two and three servers."""
    rows = [
        (count, *(CLIENT[f"client.servers.{count}.{field}"].text() for field in _CLIENT_FIELDS))
        for count in ("1", "2", "3")
    ]
    head = ("servers", "median ms", "99th percentile, ms", "requests per second")
    return markdown(head, rows, numeric=True)


_CLIENT_FIELDS = ("p50_ms", "p99_ms", "qps")


def _loading() -> str:
    """Two ways of a catalog into Redis."""
    names = {"load_projections": "`pipeline.load_projections`", "put": "a loop of `put`"}
    rows = [
        (text, *(LOADING[f"loading.{way}.{field}"].text() for field in _LOADING_FIELDS))
        for way, text in names.items()
    ]
    head = ("way", "seconds", "rows per second", "seconds of processor", "the same of Redis")
    return markdown(head, rows, numeric=True)


_LOADING_FIELDS = ("seconds", "rows_per_second", "cpu_seconds", "server_cpu_seconds")


def _formats() -> str:
    """Speed of reading and joining one log by its format."""
    names = {"parquet": "Parquet", "orc": "ORC", "csv": "CSV", "jsonl": "JSON lines"}
    rows = [
        (text, *(FORMATS[f"formats.{name}.{field}"].text() for field in ("mib", "reading", "join")))
        for name, text in names.items()
    ]
    return markdown(("format", "MiB", "speed of reading", "speed of the join"), rows, numeric=True)


def _serving_load() -> str:
    """The server's memory under load."""
    names = {
        "start": "before the first request",
        "after_warmup": "after each kind of request",
        "end": "at the end",
    }
    rows = [(text, SERVING_LOAD[f"serving_load.{name}_mib"].text()) for name, text in names.items()]
    return markdown(("when", "resident memory, MiB"), rows, numeric=True)


def _request_log() -> str:
    """What a log adds to a client's latency, with intervals."""
    rows = []
    for signature in ("score_request", "score_cached"):
        without = [REQUEST_LOG[f"request_log.{signature}.{one}_ms"].text() for one in _PERCENTILES]
        rows.append((f"`{signature}`", "none", *(f"{one} ms" for one in without)))
        for rate in ("1", "100"):
            name = f"request_log.{signature}.{rate}"
            rows.append(("", f"{rate}%", *(_added(f"{name}.{one}") for one in _PERCENTILES)))
    return markdown(("call", "logged", "p50", "p99"), rows, numeric=True)


_PERCENTILES = ("p50", "p99")


def _added(name: str) -> str:
    middle, low, high = (REQUEST_LOG[f"{name}{end}"].text() for end in ("", "_low", "_high"))
    return f"{middle}% ({low} to {high})"


def _environments() -> str:
    """What the results were measured with; all values of a component where files differ."""
    found: dict[str, set[str]] = {}
    for file in results.files():
        for name, value in results.load(file)["environment"].items():
            found.setdefault(name, set()).add(value)
    rows = [(text, ", ".join(sorted(found[name]))) for name, text in _ENVIRONMENT.items()]
    return markdown(("component", "version"), rows)


TABLES: dict[str, Table] = {
    "attention.ways": _attention,
    "backfill.runs": _backfill,
    "client.servers": _client,
    "loading.ways": _loading,
    "formats.speed": _formats,
    "serving_load.memory": _serving_load,
    "request_log.latency": _request_log,
    "environments": _environments,
}
