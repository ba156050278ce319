"""Projections in Redis, shared between processes; `pip install 'dmf-ctr[redis]'`."""

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from features.arrays import Array, Booleans, DType, Integers
from features.errors import UserInputError
from features.records.requests import Arrays
from serving_signatures.client.checksums import Checksums
from serving_signatures.client.counts import ClientCounts
from serving_signatures.client.projection_store import ProjectionStoreError
from serving_signatures.client.redis_entries import LAYOUT, TAG, EntryKeys, EntryLayout

PREFIX = "dmf"
TTL_SECONDS = 7 * 86_400

_Answer = TypeVar("_Answer")


class RedisProjectionStore:
    """Keeps one entry per item under `<prefix>:<cache>:<tag>:<item id>`, see `redis_entries`.

    Without a tag's layout its entries cannot be read, and they expire.

    Every value, of entries, layouts and tags, begins with a checksum (see `Checksums`). Whatever
    does not verify is a miss; it is deleted, and counted as `<cache>.damaged`. The entries of
    earlier versions, which have no checksum, are such misses.

    Args:
      client: of the library `redis`, or one with its `mget`, `delete` and `pipeline`.
      prefix: of every key; one per model.
      ttl_seconds: how long an entry lives after it was written.
    """

    def __init__(self, client: Any, prefix: str = PREFIX, ttl_seconds: int = TTL_SECONDS) -> None:
        if ttl_seconds < 1:
            raise ValueError(f"ttl_seconds must be at least 1, received {ttl_seconds}.")
        self._client = client
        self._prefix = prefix
        self._ttl_seconds = ttl_seconds
        self._counts = ClientCounts()

    @classmethod
    def connect(cls, url: str, timeout_seconds: float = 0.05, **options: Any) -> Any:
        """Connects by a URL such as `redis://host:6379/0`.

        Args:
          url: of the server.
          timeout_seconds: of connecting, and of an answer.
          **options: of the constructor.

        Raises:
          UserInputError: the library is not installed.
        """
        return cls(redis_client(url, timeout_seconds), **options)

    def counts(self) -> dict[str, int]:
        """Returns how many values did not verify, as `<cache>.damaged`."""
        return self._counts.to_dict()

    def tag(self, cache: str) -> str | None:
        """Returns the tag that any process wrote last."""
        key = self._keys(cache).of_cache(TAG)
        (stored,) = self._values([key])
        tag = Checksums().opened(key, stored)
        with contextlib.suppress(UnicodeDecodeError):
            if tag is not None:
                return tag.decode()
        self._discard(cache, [] if stored is None else [key])
        return None

    def get(self, cache: str, tag: str, item_ids: Integers) -> tuple[Booleans, Arrays]:
        """Looks items up, all at once."""
        nothing: tuple[Booleans, Arrays] = np.zeros(len(item_ids), bool), {}
        layout_key = self._keys(cache).of_tag(tag, LAYOUT)
        keys = self._keys(cache).of_items(tag, item_ids)
        stored_layout, *stored = self._values([layout_key, *keys])
        if stored_layout is None:
            return nothing
        encoded = Checksums().opened(layout_key, stored_layout)
        layout = None if encoded is None else _layout(encoded)
        if encoded is None or layout is None:
            self._discard(cache, [layout_key])
            return nothing
        checksums = Checksums(encoded)
        entries = [
            None if one is None else checksums.opened(key, one)
            for key, one in zip(keys, stored, strict=True)
        ]
        known = np.array([one is not None and len(one) == layout.itemsize for one in entries], bool)
        there = np.array([one is not None for one in stored], bool)
        self._discard(cache, [keys[row] for row in np.flatnonzero(there & ~known)])
        if not known.any():
            return nothing
        rows = np.zeros(len(keys), layout)
        rows[known] = np.frombuffer(
            b"".join(entries[row] or b"" for row in np.flatnonzero(known)), layout
        )
        return known, {name: np.ascontiguousarray(rows[name]) for name in layout.names or ()}

    def put(
        self, cache: str, tag: str, item_ids: Integers, projections: Mapping[str, Array]
    ) -> None:
        """Keeps projections, all at once."""
        layout, all_keys = EntryLayout.of(projections), self._keys(cache)
        keys = all_keys.of_items(tag, item_ids)
        rows = layout.values(keys, projections)
        values = {key: row.tobytes() for key, row in zip(keys, rows, strict=True)}
        for key, text in (
            (all_keys.of_tag(tag, LAYOUT), layout.encoded),
            (all_keys.of_cache(TAG), tag.encode()),
        ):
            values[key] = Checksums().sealed(key, text)

        def write() -> None:
            with self._client.pipeline(transaction=False) as pipeline:
                for key, value in values.items():
                    pipeline.set(key, value, ex=self._ttl_seconds)
                pipeline.execute()

        _answered(write)

    def drop(self, cache: str, tag: str) -> None:
        """Makes a tag's entries unreadable; they expire."""
        keys = [self._keys(cache).of_tag(tag, LAYOUT)]
        if self.tag(cache) == tag:
            keys.append(self._keys(cache).of_cache(TAG))
        _answered(lambda: self._client.delete(*keys))

    def _values(self, keys: list[str]) -> list[bytes | None]:
        """Returns values by MGET, for which a key of another type is just not there."""
        values: list[bytes | None] = _answered(lambda: list(self._client.mget(keys)))
        if len(values) != len(keys):
            raise ProjectionStoreError(f"Redis answered {len(values)} values for {len(keys)} keys.")
        return values

    def _discard(self, cache: str, keys: list[str]) -> None:
        """Deletes and counts what does not verify."""
        if keys:
            self._counts.add(f"{cache}.damaged", len(keys))
            with contextlib.suppress(ProjectionStoreError):
                _answered(lambda: self._client.delete(*keys))

    def _keys(self, cache: str) -> EntryKeys:
        return EntryKeys(self._prefix, cache)


def redis_client(url: str, timeout_seconds: float, password: str | None = None) -> Any:
    """Returns a client of the library `redis`.

    Args:
      url: of the server.
      timeout_seconds: of connecting, and of an answer.
      password: where the URL has none.

    Raises:
      UserInputError: the library is not installed.
    """
    try:
        import redis
    except ImportError as error:
        raise UserInputError(
            "A cache in Redis needs the library `redis`, which is not installed: "
            "pip install 'dmf-ctr[redis]'. LruProjectionStore needs nothing."
        ) from error
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        password=password,
    )


def _answered(call: Callable[[], _Answer]) -> _Answer:
    """Calls the client, which on garbage from the network raises whatever its parser does."""
    try:
        return call()
    except Exception as error:
        raise ProjectionStoreError(f"Redis does not answer: {error}") from error


def _layout(encoded: bytes) -> DType | None:
    """Returns the dtype of an entry; None where it cannot be one."""
    try:
        fields = [(name, kind, tuple(shape)) for name, kind, shape in json.loads(encoded)]
        layout = np.dtype(fields)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None
    return None if layout.hasobject or not layout.itemsize else layout
