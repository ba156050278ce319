"""A load that is killed at any moment leaves readers a whole tag, and the next one goes on."""

import multiprocessing
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from pipeline.cache_loading.load import compare_projections, load_projections
from pipeline.cache_loading.load_state import LoadState
from pipeline.cache_loading.published_rows import PublishedRows
from pipeline.cache_loading.redis_server import RedisServer
from serving_signatures.client.redis_store import RedisProjectionStore
from serving_signatures.names import CACHES
from tests.conftest import REPOSITORY
from tests.pipeline.cache_loading import caches
from tests.pipeline.cache_loading.caches import ITEMS, options

COUNT = 1000
RATE = 5000
"""Rows per second, so that kills meet loads at work also on a busy machine."""


def as_command(folder, url):
    """Starts the job."""
    command = [sys.executable, "-m", "pipeline.load_projections"]
    return subprocess.Popen(
        [*command, f"--projections={folder}", f"--redis={url}", f"--rows_per_second={RATE}"],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


class Forked:
    """The job's function, in a process that has its libraries already."""

    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(["pipeline.cache_loading.load"])

    def __init__(self, folder, url):
        self._process = self._context.Process(
            target=load_projections, args=(options(folder, url, rows_per_second=RATE),), daemon=True
        )
        self._process.start()

    def poll(self):
        return self._process.exitcode

    def kill(self):
        self._process.kill()

    def wait(self):
        self._process.join()
        return self._process.exitcode


class Reader:
    """Looks all items up again and again, under the tag that readers begin with."""

    def __init__(self, url):
        self._url, self._stop = url, threading.Event()
        self.problems, self.seen = [], []
        self._thread = threading.Thread(target=self._read)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _read(self):
        store = RedisProjectionStore.connect(self._url, timeout_seconds=60)
        while not self._stop.is_set():
            for cache in CACHES:
                tag = store.tag(cache)
                known, found = store.get(cache, tag, ITEMS[:COUNT])
                if not known.all():
                    self.problems.append(f"{known.sum()} of {tag}")
                for name, wanted in caches.rows(cache, tag, COUNT).items():
                    if not np.array_equal(found.get(name), wanted):
                        self.problems.append(f"{name} of {tag}")
                if self.seen[-1:] != [tag]:
                    self.seen.append(tag)
            time.sleep(0.05)
        self.problems += [f"{name}: {count}" for name, count in store.counts().items()]


def rows_noted(url, folder):
    """How many rows the notes of both tags say are there; each of them is."""
    with RedisServer.open(options(folder, url)) as server:
        total = 0
        for cache in CACHES:
            rows = PublishedRows.open(str(folder), cache, "dmf")
            state = LoadState(server, rows, 1000)
            for part in rows.parts:
                count = state.rows_there(part)
                keys = rows.keys_of(rows.read(part).slice(0, count))
                assert not keys or server.client.exists(*keys) == count
                total += count
        return total


def kill_after(command, calls, job, server):
    """Kills a load once Redis has run so many commands more; returns whether it was running."""

    def count():
        return server.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]

    wanted = count() + calls
    while job.poll() is None and count() < wanted:
        time.sleep(0.002)
    job.kill()
    return job.wait() == -signal.SIGKILL


MOMENTS = (("set", 2 * COUNT), ("exists", 8), ("multi", 3), ("scan", 8), ("expire", 2 * COUNT))
"""Commands of one load, and about how many of each: writing, verifying, switching, ending."""


def hold_after_kills(tmp_path, url, server, start, kills):
    """Kills loads of one tag after another, and holds a reader to whole tags all the while."""
    rng, killed, turn, noted = np.random.default_rng(0), 0, 1, 0

    def publish(number):
        tags = {cache: f"{number:08x}{place:08x}" for place, cache in enumerate(CACHES)}
        return caches.publish(tmp_path / str(number), tags, COUNT, 375)

    load_projections(options(publish(0), url))
    folder = publish(1)
    with Reader(url) as reader:
        while killed < kills:
            command, most = MOMENTS[int(rng.integers(0, 5)) if killed % 3 == 0 else 0]
            was_killed = kill_after(
                command, int(rng.integers(1, most + 1)), start(folder, url), server
            )
            killed += was_killed
            before, noted = noted, rows_noted(url, folder)
            assert noted >= before, "a load goes on where the one before was killed"
            if not was_killed:
                assert noted == 2 * COUNT
                compare_projections(options(folder, url))
                turn, noted = turn + 1, 0
                folder = publish(turn)
        load_projections(options(folder, url))
        compare_projections(options(folder, url))
    assert reader.problems == []
    assert len(reader.seen) > 2
    for cache in CACHES:
        state = server.hgetall(f"dmf:{cache}:load")
        assert set(state) == {b"run", b"tag", b"version"}
        assert int(state[b"tag"][:8], 16) == turn


@pytest.mark.guarantee("killed", "load_projections")
def test_a_load_that_is_killed_goes_on(tmp_path, url, server):
    hold_after_kills(tmp_path, url, server, Forked, 5)


@pytest.mark.slow(seconds=60)
def test_loads_that_are_killed_often(tmp_path, url, server):
    hold_after_kills(tmp_path, url, server, as_command, 50)
