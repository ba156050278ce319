"""The load of one cache: its rows written, and verified."""

import dataclasses
from collections.abc import Callable

import numpy as np
from absl import logging

from features.errors import UserInputError
from pipeline.cache_loading import verification
from pipeline.cache_loading.batch_writer import BatchWriter
from pipeline.cache_loading.load_state import LoadState, Note
from pipeline.cache_loading.published_rows import Part, PublishedRows
from pipeline.cache_loading.redis_server import RedisServer

_SAMPLE_SEED = 20251011


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What a load did to a cache, or would do.

    Attributes:
      cache: its name.
      version: that was loaded.
      tag: of the version.
      former_tag: that was loaded before; None if none was.
      items: rows of the version.
      rows: that were written.
      bytes: of their keys and values.
      seconds: from the first to the last of them.
    """

    cache: str
    version: int
    tag: str
    former_tag: str | None
    items: int
    rows: int
    bytes: int
    seconds: float


def loaded(
    rows: PublishedRows, state: LoadState, written: int, size: int, seconds: float
) -> Loaded:
    """Returns what a load wrote, or would write."""
    return Loaded(rows.cache, rows.version, rows.tag, state.tag, rows.items, written, size, seconds)


@dataclasses.dataclass(frozen=True)
class CacheLoad:
    """The load of one cache.

    Attributes:
      server: to write to.
      rows: that are to be there.
      state: what is there.
      writer: of the batches, one for both caches.
      run: the load.
      ttl_seconds: life of an entry.
      clock: seconds of any origin.
    """

    server: RedisServer
    rows: PublishedRows
    state: LoadState
    writer: BatchWriter
    run: str
    ttl_seconds: int
    clock: Callable[[], float]

    def load(self) -> Loaded:
        """Writes the rows that Redis lacks, and logs how long it took."""
        begin, before, written = self.clock(), self.writer.bytes, 0
        for part in self.rows.parts:
            there = self.state.rows_there(part)
            if there < part["rows"]:
                self._write(part, there)
                written += part["rows"] - there
        self.writer.flush()
        seconds, size = self.clock() - begin, self.writer.bytes - before
        logging.info(
            "%s: wrote %s rows, %.1f MiB, in %.1f seconds: %s rows per second",
            *(self.rows.cache, f"{written:,}", size / 2**20, seconds),
            f"{written / max(seconds, 1e-9):,.0f}",
        )
        return loaded(self.rows, self.state, written, size, seconds)

    def verify(self) -> None:
        """Checks what is there, and writes parts again that are not whole, once.

        Raises:
          UserInputError: Redis does not keep what is written.
        """
        rng = np.random.default_rng(_SAMPLE_SEED)
        for part in self.rows.parts:
            if verification.is_there(self.server, self.rows, part, rng):
                continue
            logging.warning(
                "%s: rows of %s were deleted or changed since they were written; its %d rows are "
                "written again.",
                *(self.rows.cache, part["file"], part["rows"]),
            )
            self._write(part, 0)
            self.writer.flush()
            if not verification.is_there(self.server, self.rows, part, rng):
                raise UserInputError(
                    f"Redis at {self.server.place} does not keep what is written: rows of "
                    f"{self.rows.cache}, {part['file']}, were gone or changed at once. Look at its "
                    "maxmemory-policy and at other writers of --prefix; then run the same command "
                    "again."
                )
        logging.info(
            "%s: all %s rows are there, and a sample was read back.",
            *(self.rows.cache, f"{self.rows.items:,}"),
        )

    def _write(self, part: Part, there: int) -> None:
        """Writes the rows of a part behind those that are there."""
        table, ttl = self.rows.read(part), self.ttl_seconds
        self.writer.flush()  # The time is asked on the same connection.
        note = self.state.notes.get(part["sha256"]) if there else None
        expires = self.server.seconds() + ttl if note is None else note.expires
        for begin in range(there, len(table), self.writer.batch_rows):
            some = table.slice(begin, self.writer.batch_rows)
            keys = self.rows.keys_of(some)
            self.writer.write(
                self.state.keys,
                self.run,
                (part["sha256"], str(Note(begin + len(some), expires))),
                ttl,
                keys,
                self.rows.values_of(some, keys),
            )
