"""A load, from published versions of both caches to the tags that readers begin with."""

import time
from collections.abc import Callable, Sequence

import numpy as np
from absl import logging

from features.errors import UserInputError
from pipeline.cache_loading import cache_load, load_state, memory, verification
from pipeline.cache_loading.batch_writer import BatchWriter, Pace
from pipeline.cache_loading.cache_load import CacheLoad, Loaded
from pipeline.cache_loading.load_state import LoadState
from pipeline.cache_loading.options import LoadOptions
from pipeline.cache_loading.published_rows import PublishedRows
from pipeline.cache_loading.redis_server import RedisServer
from serving_signatures.names import CACHES
from serving_signatures.versions import exported_version


def load_projections(
    options: LoadOptions,
    dry_run: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> dict[str, Loaded]:
    """Loads the published versions of both caches, as far as Redis lacks them.

    Readers of the former tags are served all the while. The new tags can be read once all rows are
    there and a sample was read back, both caches' at the same moment.

    Args:
      options: what to load, and where to.
      dry_run: plan only.
      clock: seconds of any origin.
      sleep: waits for so many seconds.

    Returns:
      What was done, by cache.

    Raises:
      UserInputError: an option, a part or the server must be changed; readers begin with the
        former tags.
      RetryError: Redis does not answer, or a newer version was published meanwhile; the next run
        goes on.
    """
    published = _open(options)
    with RedisServer.open(options) as server:
        states = _plan(server, published, options)
        if dry_run:
            return {
                one.cache: cache_load.loaded(one, state, one.items - state.rows_in_all, 0, 0.0)
                for one, state in zip(published, states, strict=True)
            }
        run = load_state.new_run()
        load_state.take_over(server, states, run)
        # Nobody else writes from here on, so what is read now stays so.
        states = [LoadState(server, one, options.ttl_seconds) for one in published]
        load_state.transaction(server, states, run, LoadState.prepare)
        writer = BatchWriter(server.client, Pace(options.rows_per_second, clock, sleep))
        jobs = [
            CacheLoad(server, one, state, writer, run, options.ttl_seconds, clock)
            for one, state in zip(published, states, strict=True)
        ]
        done = {job.rows.cache: job.load() for job in jobs}
        for job in jobs:
            job.verify()
        load_state.transaction(
            server, states, run, lambda one, pipeline: one.switch(pipeline, options.ttl_seconds)
        )
        for one in done.values():
            former = one.former_tag or "none"
            logging.info("%s: readers begin with tag %s; before: %s", one.cache, one.tag, former)
        for state in states:
            state.expire_former(run, options.keep_old_seconds)
        return done


def compare_projections(options: LoadOptions) -> None:
    """Compares every row in Redis with the published versions of both caches.

    Raises:
      UserInputError: a row is missing or differs; names the cache and the counts.
      RetryError: Redis does not answer.
    """
    published = _open(options)
    with RedisServer.open(options) as server:
        for one in published:
            logging.info("%s", verification.compare(server, one))


def _open(options: LoadOptions) -> list[PublishedRows]:
    """Opens both caches.

    Raises:
      UserInputError: one is missing, damaged, or not of the exported version that was named.
    """
    published = [PublishedRows.open(options.projections, cache, options.prefix) for cache in CACHES]
    if options.saved_model is not None:
        tags = exported_version.read_values(options.saved_model)["tags"]
        for one in published:
            expected = tags.get(CACHES[one.cache])
            if one.tag != expected:
                raise UserInputError(
                    f"{options.projections!r}: {one.cache} are of tag {one.tag}, expected "
                    f"{expected} of --saved_model {options.saved_model!r}. Run pipeline.backfill "
                    "with that version, or give the version that is to serve."
                )
    return published


def _plan(
    server: RedisServer, published: Sequence[PublishedRows], options: LoadOptions
) -> list[LoadState]:
    """Reads and logs what is to be done.

    Raises:
      UserInputError: the server has no room for it, or is none that entries can be written to.
    """
    info, states, needed = server.info(), [], 0
    for one in published:
        state = LoadState(server, one, options.ttl_seconds)
        rows = one.items - state.rows_in_all
        logging.info(
            "Plan: %s: version %d of tag %s holds %s rows; %s are to be written. Loaded before: %s",
            *(one.cache, one.version, one.tag, f"{one.items:,}", f"{rows:,}"),
            state.tag or "none",
        )
        states.append(state)
        key_bytes = max(map(len, one.keys.of_items(one.tag, np.array([-(2**63)]))))
        entry_bytes = memory.entry_bytes(key_bytes, one.layout.value_bytes)
        needed += max(one.items - state.known_rows, 0) * entry_bytes
    memory.check_room(server.place, info, needed)
    return states
