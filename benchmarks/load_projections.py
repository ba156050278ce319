r"""Times a load of a catalog's caches into Redis against `RedisProjectionStore.put`; a minute.

Usual commands:

    python -m benchmarks.load_projections --server redis-server \
        --output build/load_projections.json
    python -m benchmarks.load_projections --server redis-server --items 20000 --rounds 1

Measures `pipeline.load_projections` of both caches, its verification included, and the same rows
through `RedisProjectionStore.put`, 500 items at a time (the baseline). Rows are random, of the
sizes of a DMF of default size with two modalities of 128. Both ways write into an empty Redis
server of this machine that keeps nothing on disk, in turns; processor time is the better guide on a
busy machine. Ratios hold across machines, seconds do not.
"""

import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from absl import flags

from benchmarks.measuring import result_file
from features.files import storage
from pipeline.cache_loading.load import load_projections
from pipeline.cache_loading.options import LoadOptions
from pipeline.catalog_backfill import cache_part
from pipeline.catalog_backfill.cache_folder import CacheFolder
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group
from serving_signatures import names
from serving_signatures.client import cache_parts
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.client.redis_store import RedisProjectionStore, redis_client

_FLAGS = flags.FLAGS

_ROWS_PER_PART = 1 << 16
_ROWS_PER_PUT = 500
_TAG = "0123456789abcdef"
_OUTPUTS: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {
    names.ID_PROJECTIONS: dict.fromkeys(("query", "key", "value", "item"), ("float32", (32,))),
    names.TARGET_AWARE_PROJECTIONS: {
        **{f"quantized_{name}": ("int8", (128,)) for name in ("text", "image")},
        **{f"norm_{name}": ("float32", ()) for name in ("text", "image")},
        "projection": ("float32", (32,)),
    },
}


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_integer("items", 200_000, "`COUNT` Items of the catalog; each cache has them.")
        flags.DEFINE_integer("rounds", 3, "`COUNT` How often each way is measured.", lower_bound=1)
    with flag_group("Redis"):
        flags.DEFINE_string(
            "server", "redis-server", "`COMMAND` Starts a server; in the PATH, or with its path."
        )
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, _server(folder) as url:
        ids = _publish(folder, _FLAGS.items)
        client = redis_client(url, 60)
        ways: dict[str, Callable[[], object]] = {
            "load_projections": lambda: load_projections(LoadOptions(folder, url)),
            "put": lambda: _put(folder, client, ids),
        }
        rounds: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _round in range(_FLAGS.rounds):
            for way, run in ways.items():
                client.flushall()
                rounds[way].append(_measured(run, client))
                print(way, rounds[way][-1])
    loaded, put = (
        {name: statistics.median(one[name] for one in found) for name in found[0]}
        for found in rounds.values()
    )
    values = {
        "items": _FLAGS.items,
        "put_to_load_seconds": put["seconds"] / loaded["seconds"],
        "put_to_load_cpu": put["cpu_seconds"] / loaded["cpu_seconds"],
        "rows": [{"way": "load_projections", **loaded}, {"way": "put", **put}],
    }
    result_file.write(_FLAGS.output, "benchmarks.load_projections", values)


@contextlib.contextmanager
def _server(folder: str) -> Iterator[str]:
    """Runs a server that keeps nothing on disk, and yields its URL."""
    socket = os.path.join(folder, "redis.sock")
    command = [_FLAGS.server, "--port", "0", "--unixsocket", socket, "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not os.path.exists(socket) and server.poll() is None:
            time.sleep(0.05)
        yield f"unix://{socket}"
    finally:
        server.kill()
        server.wait()


def _publish(folder: str, items: int) -> np.ndarray:
    """Publishes caches of random rows, and returns the items' ids."""
    rng, ids = np.random.default_rng(0), 10_000_000 + np.arange(items)
    for cache, outputs in _OUTPUTS.items():
        parts = []
        for begin in range(0, items, _ROWS_PER_PART):
            own = ids[begin : begin + _ROWS_PER_PART]
            columns = {
                name: rng.integers(-127, 128, (len(own), *shape)).astype(dtype)
                for name, (dtype, shape) in outputs.items()
            }
            data = cache_part.encode(cache, _TAG, own, np.zeros_like(own), columns)
            parts.append(cache_part.entry(data, len(own)))
            path = storage.join(folder, cache, cache_parts.FOLDER, str(parts[-1]["file"]))
            storage.write_bytes(path, data)
        shapes = {
            name: {"dtype": dtype, "shape": list(shape)} for name, (dtype, shape) in outputs.items()
        }
        CacheFolder(folder, cache).publish(
            {"cache": cache, "tag": _TAG, "items": items, "columns": shapes, "parts": parts}
        )
    return ids


def _put(folder: str, client: Any, ids: np.ndarray) -> None:
    store = RedisProjectionStore(client)
    for name in names.CACHES:
        cache = ProjectionCache.open(folder, name)
        for begin in range(0, len(ids), _ROWS_PER_PUT):
            some = ids[begin : begin + _ROWS_PER_PUT]
            store.put(name, cache.tag, some, cache.lookup(some)[1])


def _measured(run: Callable[[], object], client: Any) -> dict[str, float]:
    def server_seconds() -> float:
        info = client.info("cpu")
        return float(info["used_cpu_user"] + info["used_cpu_sys"])

    begin, cpu, server = time.perf_counter(), time.process_time(), server_seconds()
    run()
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "rows": _FLAGS.items * len(names.CACHES),
        "rows_per_second": _FLAGS.items * len(names.CACHES) / seconds,
        "cpu_seconds": time.process_time() - cpu,
        "server_cpu_seconds": server_seconds() - server,
        "redis_mib": client.info("memory")["used_memory"] / 2**20,
    }


if __name__ == "__main__":
    main()
