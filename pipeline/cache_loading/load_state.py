"""What Redis says of the loads of a cache.

    <prefix>:<cache>:load          hash: `run`, the load that may write; `tag` and `version` that
                                   were switched to last; `old:<tag>`, a tag that is to expire
    <prefix>:<cache>:<tag>:load    hash, the notes: `layout`; by part, how many of its rows are
                                   there, and when the first of them expires

Times are the server's own. Clients write `<prefix>:<cache>:tag` too, whenever they keep what they
computed, so it does not say what was loaded.
"""

import dataclasses
import os
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.cache_loading.batch_writer import MAY_WRITE, SUPERSEDED
from pipeline.cache_loading.published_rows import Part, PublishedRows
from pipeline.cache_loading.redis_server import RedisServer
from serving_signatures.client.checksums import Checksums
from serving_signatures.client.redis_entries import LAYOUT, TAG

_STATE, _RUN, _OLD = "load", "run", "old:"

_EXPIRE = f"""{MAY_WRITE}
local found = redis.call('SCAN', ARGV[2], 'MATCH', ARGV[3], 'COUNT', 1000)
for _, key in ipairs(found[2]) do
  if redis.call('TTL', key) > tonumber(ARGV[4]) then redis.call('EXPIRE', key, ARGV[4]) end
end
return found[1]
"""
"""ARGV: the load, cursor, pattern, seconds."""


@dataclasses.dataclass(frozen=True)
class Note:
    """What is there of a part.

    Attributes:
      rows: the first of them, in the part's order.
      expires: when the first of those expires, in seconds since 1970.
    """

    rows: int
    expires: int

    def __str__(self) -> str:
        return f"{self.rows} {self.expires}"

    @classmethod
    def parse(cls, text: str) -> "Note":
        """Returns a note; of no rows where the text is none."""
        numbers = text.split()
        if len(numbers) != 2 or not all(one.isdecimal() for one in numbers):
            return cls(0, 0)
        return cls(*map(int, numbers))


def new_run() -> str:
    """Returns a name for a load that no other has."""
    return f"process {os.getpid()} on {socket.gethostname()} ({uuid.uuid4().hex})"


class LoadState:
    """The loads of one cache, as they were when this was made.

    Args:
      server: to ask.
      rows: what is to be loaded.
      ttl_seconds: life of an entry.

    Attributes:
      keys: of the state and of the notes, for the writer.
      tag: that was switched to last; None before the first.
      former: other tags that are to expire.
      notes: by the sha256 of the part, of those that need not be loaded from their begin.
      known_rows: that were loaded under the tag, of any part.
    """

    def __init__(self, server: RedisServer, rows: PublishedRows, ttl_seconds: int):
        self._server, self._rows = server, rows
        self.keys = (rows.keys.of_cache(_STATE), rows.keys.of_tag(rows.tag, _STATE))
        state, notes = (_text(server.client.hgetall(key)) for key in self.keys)
        self.tag = state.get(TAG)
        self.former = {one.removeprefix(_OLD) for one in state if one.startswith(_OLD)}
        if self.tag is not None:
            self.former.add(self.tag)
        self.former.discard(rows.tag)
        self._is_other_layout = notes.pop(LAYOUT, rows.layout_digest) != rows.layout_digest
        self._is_other_layout |= self._stored_layout() not in (None, self._layout_value)
        found = {name: Note.parse(text) for name, text in notes.items()}
        self.known_rows = sum(note.rows for note in found.values())
        # Later, rows of one part would expire while others are served for long.
        least = server.seconds() + ttl_seconds // 2
        self.notes: Mapping[str, Note] = {}
        if not self._is_other_layout:
            self.notes = {name: one for name, one in found.items() if one.expires >= least}

    def rows_there(self, part: Part) -> int:
        """Returns how many of a part's rows need not be loaded."""
        note = self.notes.get(part["sha256"])
        return 0 if note is None else min(note.rows, part["rows"])

    @property
    def rows_in_all(self) -> int:
        """How many rows need not be loaded."""
        return sum(map(self.rows_there, self._rows.parts))

    def prepare(self, pipeline: Any) -> None:
        """Adds to a transaction: the tag is to expire no more, and its notes are of its layout."""
        state, notes = self.keys
        if self._is_other_layout:
            # Readers would take the new rows for damaged ones, and delete them.
            pipeline.delete(notes, self._rows.keys.of_tag(self._rows.tag, LAYOUT))
        pipeline.hset(notes, LAYOUT, self._rows.layout_digest)
        pipeline.hdel(state, _OLD + self._rows.tag)

    def switch(self, pipeline: Any, ttl_seconds: int) -> None:
        """Adds to a transaction: the tag can be read, and readers begin with it."""
        keys, tag = self._rows.keys, self._rows.tag
        pipeline.set(keys.of_tag(tag, LAYOUT), self._layout_value, ex=ttl_seconds)
        value = Checksums().sealed(keys.of_cache(TAG), tag.encode())
        pipeline.set(keys.of_cache(TAG), value, ex=ttl_seconds)
        pipeline.hset(self.keys[0], mapping={TAG: tag, "version": self._rows.version})
        for old in self.former:
            # Its notes go before its rows do.
            pipeline.hset(self.keys[0], _OLD + old, "")
            pipeline.delete(keys.of_tag(old, _STATE))

    def expire_former(self, run: str, keep_old_seconds: int) -> None:
        """Lets all that is kept under former tags expire by then, if it would not before."""
        for old in sorted(self.former):
            pattern, cursor = _escaped(self._rows.keys.of_tag(old, "")) + "*", "0"
            while True:
                arguments = (run, cursor, pattern, keep_old_seconds)
                cursor = self._server.client.eval(_EXPIRE, 1, self.keys[0], *arguments).decode()
                if cursor == "0":
                    break
            self._server.client.hdel(self.keys[0], _OLD + old)

    def _stored_layout(self) -> bytes | None:
        (value,) = self._server.client.mget([self._rows.keys.of_tag(self._rows.tag, LAYOUT)])
        return value if isinstance(value, bytes) else None

    @property
    def _layout_value(self) -> bytes:
        key = self._rows.keys.of_tag(self._rows.tag, LAYOUT)
        return Checksums().sealed(key, self._rows.layout.encoded)


def take_over(server: RedisServer, states: Sequence[LoadState], run: str) -> None:
    """Lets only this load write from here on."""
    with server.client.pipeline() as pipeline:
        for state in states:
            pipeline.hset(state.keys[0], _RUN, run)
        pipeline.execute()


def transaction(
    server: RedisServer,
    states: Sequence[LoadState],
    run: str,
    add: Callable[[LoadState, Any], None],
) -> None:
    """Does to all caches at once what `add` puts into a pipeline, if the load may still write.

    Raises:
      redis.ResponseError: as a script says it, where another load has begun.
    """
    import redis

    keys = [state.keys[0] for state in states]

    def checked(pipeline: Any) -> None:
        for key in keys:
            found = pipeline.hget(key, _RUN)
            if found != run.encode():
                holder = "nothing" if found is None else found.decode(errors="replace")
                raise redis.ResponseError(f"{SUPERSEDED} by {holder}")
        pipeline.multi()
        for state in states:
            add(state, pipeline)

    server.client.transaction(checked, *keys)


def _text(values: Mapping[bytes, bytes]) -> dict[str, str]:
    return {
        name.decode(errors="replace"): value.decode(errors="replace")
        for name, value in values.items()
    }


def _escaped(text: str) -> str:
    r"""Returns a pattern of Redis that matches a text.

    >>> _escaped("a*b")
    'a\\*b'
    """
    return "".join(f"\\{one}" if one in "*?[]^-\\" else one for one in text)
