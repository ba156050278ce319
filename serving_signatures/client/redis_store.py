"""Projections in Redis, shared between processes; `pip install 'dmf-ctr[redis]'`."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from features.arrays import Array, Booleans, Integers
from features.errors import UserInputError
from features.records.requests import Arrays
from serving_signatures.client.projection_store import ProjectionStoreError


class RedisProjectionStore:
    """Keeps one entry per item under `<prefix>:<cache>:<tag>:<item id>`.

    An entry is the item's projections one after another. Their names, dtypes and shapes are kept
    once per tag, as its layout: without it the tag's entries cannot be read, and they expire.

    Args:
      client: of the library `redis`, or one with its `get`, `mget`, `delete` and `pipeline`.
      prefix: of every key; one per model.
      ttl_seconds: how long an entry lives after it was written.
      errors: what the client raises when the server does not answer.
    """

    def __init__(
        self,
        client: Any,
        prefix: str = "dmf",
        ttl_seconds: int = 7 * 86_400,
        errors: tuple[type[Exception], ...] = (OSError,),
    ) -> None:
        if ttl_seconds < 1:
            raise ValueError(f"ttl_seconds must be at least 1, received {ttl_seconds}.")
        self._client = client
        self._prefix = prefix
        self._ttl_seconds = ttl_seconds
        self._errors = errors

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
        try:
            import redis
        except ImportError as error:
            raise UserInputError(
                "A cache in Redis needs the library `redis`, which is not installed: "
                "pip install 'dmf-ctr[redis]'. LruProjectionStore needs nothing."
            ) from error
        client = redis.Redis.from_url(
            url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds
        )
        return cls(client, errors=(redis.RedisError, OSError), **options)

    def tag(self, cache: str) -> str | None:
        """Returns the tag that any process wrote last."""
        try:
            tag = self._client.get(self._key(cache, "tag"))
        except self._errors as error:
            raise _failed(error) from error
        return None if tag is None else tag.decode()

    def get(self, cache: str, tag: str, item_ids: Integers) -> tuple[Booleans, Arrays]:
        """Looks items up, all at once."""
        keys = [self._key(cache, tag, "layout")]
        keys += [self._key(cache, tag, str(item)) for item in item_ids.tolist()]
        try:
            encoded, *entries = self._client.mget(keys)
        except self._errors as error:
            raise _failed(error) from error
        if encoded is None:
            return np.zeros(len(item_ids), bool), {}
        layout = np.dtype([(name, kind, tuple(shape)) for name, kind, shape in json.loads(encoded)])
        known = np.array(
            [entry is not None and len(entry) == layout.itemsize for entry in entries], bool
        )
        blank = bytes(layout.itemsize)
        data = b"".join(
            entry if good else blank for entry, good in zip(entries, known, strict=True)
        )
        rows = np.frombuffer(data, layout)
        return known, {name: np.ascontiguousarray(rows[name]) for name in layout.names or ()}

    def put(
        self, cache: str, tag: str, item_ids: Integers, projections: Mapping[str, Array]
    ) -> None:
        """Keeps projections, all at once."""
        layout = [(name, value.dtype.str, value.shape[1:]) for name, value in projections.items()]
        # A structured array holds an item's projections one after another, without gaps.
        rows = np.empty(len(item_ids), np.dtype(layout))
        for name, value in projections.items():
            rows[name] = value
        expiry = {"ex": self._ttl_seconds}
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for item, row in zip(item_ids.tolist(), rows, strict=True):
                    pipeline.set(self._key(cache, tag, str(item)), row.tobytes(), **expiry)
                pipeline.set(self._key(cache, tag, "layout"), json.dumps(layout), **expiry)
                pipeline.set(self._key(cache, "tag"), tag, **expiry)
                pipeline.execute()
        except self._errors as error:
            raise _failed(error) from error

    def drop(self, cache: str, tag: str) -> None:
        """Makes a tag's entries unreadable; they expire."""
        keys = [self._key(cache, tag, "layout")]
        if self.tag(cache) == tag:
            keys.append(self._key(cache, "tag"))
        try:
            self._client.delete(*keys)
        except self._errors as error:
            raise _failed(error) from error

    def _key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))


def _failed(error: Exception) -> ProjectionStoreError:
    return ProjectionStoreError(f"Redis does not answer: {error}")
