"""Batches of entries on their way to Redis, at a pace.

A batch is one script of Redis: it checks that this load may still write, sets the entries and notes
how far the part is. So a note never speaks of entries that are not there. While Redis runs one
batch, the next is made.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

MOST_ROWS = 256
"""Of a batch: Redis does nothing else for about a millisecond."""

_MOST_WAITING = 2

SUPERSEDED = "SUPERSEDED"
"""How the answer of a script begins whose load may write no more."""

MAY_WRITE = f"""
local run = redis.call('HGET', KEYS[1], 'run')
if run ~= ARGV[1] then return redis.error_reply('{SUPERSEDED} by ' .. (run or 'nothing')) end
"""
"""The begin of every script that writes. KEYS[1]: state of the cache. ARGV[1]: the load."""

_WRITE = f"""{MAY_WRITE}
for i = 3, #KEYS do redis.call('SET', KEYS[i], ARGV[i + 2], 'EX', ARGV[4]) end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return #KEYS - 2
""".encode()
"""KEYS[2]: notes of the tag. ARGV: the load, part, note, life; then a value for each other key."""


class Pace:
    """Holds rows back.

    Args:
      rows_per_second: the most; None for no limit.
      clock: seconds of any origin.
      sleep: waits for so many seconds.
    """

    def __init__(
        self,
        rows_per_second: int | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ):
        self._rate, self._clock, self._sleep = rows_per_second, clock, sleep
        self._next = clock()

    @property
    def batch_rows(self) -> int:
        """The most rows of one batch: no more than go in a tenth of a second."""
        return MOST_ROWS if self._rate is None else min(MOST_ROWS, max(1, self._rate // 10))

    def wait(self, rows: int) -> None:
        """Returns when these rows may go. What was not used in time is lost, never caught up."""
        if self._rate is None:
            return
        now = self._clock()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(self._next, now) + rows / self._rate


class BatchWriter:
    """Sends batches without waiting for each answer; `flush` waits for all of them.

    Args:
      client: of the library `redis`, with one connection that nobody else uses meanwhile.
      pace: of the rows.
    """

    def __init__(self, client: Any, pace: Pace):
        self._connection = client.connection
        self._pace = pace
        self._waiting = 0
        self.bytes = 0
        """Of keys and values that were written."""

    @property
    def batch_rows(self) -> int:
        """The most rows of one batch."""
        return self._pace.batch_rows

    def write(
        self,
        state_keys: Sequence[str],
        run: str,
        note: tuple[str, str],
        ttl_seconds: int,
        keys: Sequence[str],
        values: np.ndarray,
    ) -> None:
        """Sends a batch.

        Args:
          state_keys: of the cache's state, and of the tag's notes.
          run: the load.
          note: the part, and what is noted of it with the entries.
          ttl_seconds: life of the entries.
          keys: of N entries.
          values: `[N, V]` uint8.
        """
        self._pace.wait(len(keys))
        encoded = [key.encode() for key in keys]
        head = [_WRITE, str(len(state_keys) + len(keys)).encode()]
        head += [key.encode() for key in state_keys]
        arguments = [run, *note, str(ttl_seconds)]
        count = 1 + len(head) + len(keys) + len(arguments) + len(values)
        command = [
            b"*%d\r\n" % count,
            *map(_bulk, [b"EVAL", *head]),
            *map(_bulk, encoded),
            *(_bulk(one.encode()) for one in arguments),
            _bulk_rows(values),
        ]
        # Two batches wait at most: their answers are short, so neither side's buffer fills up.
        self._flush(_MOST_WAITING - 1)
        self._connection.send_packed_command([b"".join(command)])
        self._waiting += 1
        self.bytes += sum(map(len, encoded)) + values.size

    def flush(self) -> None:
        """Waits until all batches are written.

        Raises:
          redis.RedisError: one was refused; those before it are written.
        """
        self._flush(0)

    def _flush(self, left: int) -> None:
        while self._waiting > left:
            self._waiting -= 1
            self._connection.read_response()


def _bulk(text: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text)


def _bulk_rows(values: np.ndarray) -> bytes:
    """Returns the rows of an array, each as a string of Redis' protocol."""
    before, after = b"$%d\r\n" % values.shape[1], b"\r\n"
    framed = np.empty((len(values), len(before) + values.shape[1] + len(after)), np.uint8)
    framed[:, : len(before)] = np.frombuffer(before, np.uint8)
    framed[:, len(before) : -len(after)] = values
    framed[:, -len(after) :] = np.frombuffer(after, np.uint8)
    return framed.tobytes()
