"""What to load, and where to."""

import dataclasses
import urllib.parse

from features.errors import UserInputError
from features.files import storage
from serving_signatures.client.redis_store import PREFIX, TTL_SECONDS

KEEP_OLD_SECONDS = 86_400

PASSWORD = "REDISCLI_AUTH"
"""The environment variable of the password; redis-cli reads it too."""

_SCHEMES = ("redis", "rediss", "unix")
_NO_PASSWORD = (
    "every process of the machine can read the flags of others. Give --password_file, or "
    f"{PASSWORD} in the environment"
)


@dataclasses.dataclass(frozen=True)
class LoadOptions:
    """Options of a load.

    Attributes:
      projections: folder of both caches, the output of the backfill.
      redis: URL of the server, without a password.
      prefix: of every key; one per model.
      saved_model: the exported version whose tags the caches must have; None to take any.
      password_file: holds the password; None for that of the environment, if any.
      ttl_seconds: how long an entry lives after it was written.
      keep_old_seconds: how long entries of the former tag live after the switch, at most.
      rows_per_second: the most rows to write per second; None for no limit.
    """

    projections: str
    redis: str
    prefix: str = PREFIX
    saved_model: str | None = None
    password_file: str | None = None
    ttl_seconds: int = TTL_SECONDS
    keep_old_seconds: int = KEEP_OLD_SECONDS
    rows_per_second: int | None = None

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
          UserInputError: a value cannot be.
        """
        # The URL is in no message before it is known to hold no password.
        try:
            url = urllib.parse.urlsplit(self.redis)
            has_password = url.password is not None or "password" in urllib.parse.parse_qs(
                url.query
            )
            _ = url.port
        except ValueError as error:
            raise UserInputError(f"--redis is no URL: {error}. Expected {_EXAMPLE}.") from None
        if has_password:
            raise UserInputError(f"--redis holds a password: {_NO_PASSWORD}.")
        if url.scheme not in _SCHEMES or not (url.hostname or url.path):
            raise UserInputError(
                f"--redis {self.redis!r} is no URL of a Redis server. Expected {_EXAMPLE}, or one "
                f"of the schemes {', '.join(_SCHEMES)}."
            )
        least = {"ttl_seconds": 60, "keep_old_seconds": 0, "rows_per_second": 1}
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                raise UserInputError(f"--{name} {value}: expected at least {bound}.")
        if not self.prefix or not self.prefix.isprintable() or " " in self.prefix:
            raise UserInputError(f"--prefix {self.prefix!r}: expected a word, as the clients have.")

    def password(self, environment_value: str | None) -> str | None:
        """Returns the password of the file, else of the environment, else None.

        Raises:
          UserInputError: the file cannot be read, or is empty.
        """
        if self.password_file is None:
            return environment_value or None
        try:
            text = storage.read_bytes(self.password_file).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UserInputError(
                f"--password_file {self.password_file!r} cannot be read: {error}. Expected a file "
                "with the password in its one line."
            ) from error
        if not text or "\n" in text:
            raise UserInputError(
                f"--password_file {self.password_file!r} has {len(text.splitlines())} lines, "
                "expected the password in one."
            )
        return text


_EXAMPLE = "one such as redis://cache:6379/0"
