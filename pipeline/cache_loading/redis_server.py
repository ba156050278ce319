"""The Redis server of a load: opened, looked at, and its errors as sentences."""

import contextlib
import os
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from features.errors import RetryError, UserInputError
from pipeline.cache_loading.batch_writer import SUPERSEDED
from pipeline.cache_loading.options import PASSWORD, LoadOptions
from serving_signatures.client.redis_store import redis_client

_TIMEOUT_SECONDS = 30.0

_AGAIN = "Run the same command again: it goes on."
_ANSWERS: tuple[tuple[str, type[Exception], str], ...] = (
    (
        rf"{SUPERSEDED} by nothing",
        RetryError,
        "It was emptied, started anew or threw entries out, and lost what was loaded. Run the same "
        "command again.",
    ),
    (
        SUPERSEDED,
        UserInputError,
        "That load of the same caches began later, so this one stopped; readers see whole tags. "
        "Let one load run at a time.",
    ),
    (
        r"OutOfMemoryError|OOM command not allowed",
        UserInputError,
        "Raise its `maxmemory`, or wait until former tags have expired; then run the same command "
        "again: it goes on.",
    ),
    (
        r"Authentication|without any password",
        UserInputError,
        f"Give --password_file, or {PASSWORD} in the environment, and the user in --redis where "
        "there is one, as in redis://USER@HOST:6379/0; neither where the server has no password.",
    ),
    (
        r"NoPermission|NOPERM",
        UserInputError,
        "Give this user the rights to EVAL, INFO and TIME, and to read and write the keys of "
        "--prefix.",
    ),
    (r"ReadOnly|READONLY", UserInputError, "It is a replica: give the primary."),
    (r"MISCONF", UserInputError, "It cannot save to its disk: make room there."),
    (r"CERTIFICATE_VERIFY_FAILED", UserInputError, "Give the host by the name in its certificate."),
    (r"Loading|max number of clients|BUSY", RetryError, _AGAIN),
)
"""In the class or text of an error: its kind here, and the remedy."""


class RedisServer:
    """A server that entries are written to.

    Args:
      client: of the library `redis`, for commands one by one.
      place: of the server, for messages; without secrets.

    Attributes:
      client: as it was given.
      place: as it was given.
    """

    def __init__(self, client: Any, place: str):
        self.client, self.place = client, place

    @classmethod
    @contextlib.contextmanager
    def open(cls, options: LoadOptions) -> Iterator["RedisServer"]:
        """Connects.

        Yields:
          The server.

        Raises:
          UserInputError: it refuses; says why, and the remedy.
          RetryError: it does not answer, here or later.
        """
        password = options.password(os.environ.get(PASSWORD))
        url = urllib.parse.urlsplit(options.redis)
        place = url.netloc.rpartition("@")[2] or url.path
        with (
            contextlib.closing(redis_client(options.redis, _TIMEOUT_SECONDS, password)) as pool,
            _sentences(place),
            # One connection, whose commands are answered in their order.
            contextlib.closing(pool.client()) as client,
        ):
            yield cls(client, place)

    def info(self) -> dict[str, Any]:
        """Returns what the server says of itself.

        Raises:
          UserInputError: it is none that entries can be written to.
        """
        info: dict[str, Any] = self.client.info()
        if info.get("cluster_enabled"):
            raise UserInputError(
                f"Redis at {self.place} is a cluster, which RedisProjectionStore does not read: it "
                "asks for many keys at once. Give a single server, or its primary."
            )
        if info.get("role") == "slave":
            raise UserInputError(
                f"Redis at {self.place} is a replica, which takes no writes. Give the primary, "
                f"{info.get('master_host')}:{info.get('master_port')}."
            )
        return info

    def seconds(self) -> int:
        """Returns its time, in seconds since 1970: the clock by which entries expire."""
        return int(self.client.time()[0])


@contextlib.contextmanager
def _sentences(place: str) -> Iterator[None]:
    """Raises the library's errors as those that a job ends with."""
    import redis

    try:
        yield
    except redis.RedisError as error:
        text = str(error).rstrip(".")
        for words, kind, remedy in _ANSWERS:
            if re.search(words, f"{type(error).__name__} {text}"):
                raise kind(f"Redis at {place}: {text}. {remedy}") from error
        if isinstance(error, redis.ConnectionError | redis.TimeoutError):
            raise RetryError(f"Redis at {place} does not answer: {text}. {_AGAIN}") from error
        raise UserInputError(
            f"Redis at {place} refuses: {text}. Expected a Redis of version 5 or newer, in which "
            "no other program writes keys of --prefix."
        ) from error
