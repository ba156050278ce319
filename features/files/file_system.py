"""The pyarrow file system of a path or URI.

The environment variables that all AWS libraries share configure `s3://`: `AWS_ENDPOINT_URL_S3` or
`AWS_ENDPOINT_URL` (for servers other than Amazon's), `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_PROFILE`. Requests to `s3://` time out after 3 s
without a connection or 10 s without a byte, with three attempts each; to `gs://` after 15 s.
"""

import contextlib
import functools
import os
import re
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import fs

from features.errors import UserInputError

_URI = re.compile(r"^([a-z][a-z0-9+.-]*)://([^/]*)/*(.*)$", re.DOTALL)
_CONNECT_SECONDS = 3
_REQUEST_SECONDS = 10
_ATTEMPTS = 3
_GCS_SECONDS = 15


def is_remote(path: str) -> bool:
    """Whether a path is a URI with a scheme other than `file`."""
    match = _URI.match(path)
    return match is not None and match[1] != "file"


def local_path(path: str) -> str:
    """Returns a local path without `file://`."""
    return path.removeprefix("file://")


def filesystem_of(path: str) -> tuple[fs.FileSystem, str]:
    """Returns pyarrow's file system for a path, and the path as that file system names it.

    Raises:
      UserInputError: the scheme is unknown, or its file system cannot be used here.
    """
    match = _URI.match(path)
    if match is None or match[1] == "file":
        return fs.LocalFileSystem(), local_path(path)
    scheme, authority, rest = match.groups()
    if not authority and scheme != "hdfs":
        raise UserInputError(f"{path!r} names no bucket. Write {scheme}://BUCKET/FOLDER.")
    if scheme == "s3":
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        # The cache's key holds process and user: a client does not survive a fork.
        maker = (os.getpid(), os.environ.get("AWS_ACCESS_KEY_ID"))
        return _s3(endpoint, region, authority, maker), f"{authority}/{rest}".rstrip("/")
    filesystem, base = _by_uri(scheme, authority)
    return filesystem, f"{base.rstrip('/')}/{rest}".rstrip("/")


@contextlib.contextmanager
def resolved(path: str) -> Iterator[tuple[fs.FileSystem, str]]:
    """Yields what `filesystem_of` returns, and explains remote errors within the block.

    Raises:
      UserInputError: a remote operation failed.
      OSError, pa.ArrowException: a local one failed.
    """
    remote = is_remote(path)
    try:
        yield filesystem_of(path)
    except (pa.ArrowException, OSError) as error:
        if not remote:
            raise
        advice = "Check the name and that you may access it"
        if path.startswith("s3:"):
            advice += ", AWS_ENDPOINT_URL (if it is not Amazon's), AWS_REGION and the credentials"
        raise UserInputError(f"{path!r} cannot be used: {_short(error)}. {advice}.") from error


@functools.lru_cache(maxsize=32)
def _s3(
    endpoint: str | None, region: str | None, bucket: str, maker: tuple[int, str | None]
) -> fs.S3FileSystem:
    del maker
    settings = {}
    if endpoint:
        scheme, separator, host = endpoint.rstrip("/").rpartition("://")
        settings = {"scheme": scheme if separator else "https", "endpoint_override": host}
    elif not region:
        with contextlib.suppress(OSError):
            region = fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(
        region=region,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        **settings,
    )


@functools.lru_cache(maxsize=32)
def _by_uri(scheme: str, authority: str) -> tuple[fs.FileSystem, str]:
    query = f"?retry_limit_seconds={_GCS_SECONDS}" if scheme in ("gs", "gcs") else ""
    try:
        filesystem, base = fs.FileSystem.from_uri(f"{scheme}://{authority}/{query}")
        return filesystem, base
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{scheme}://{authority}: no such file system here ({_short(error)}). Local "
            "paths, s3://, gs:// and, with Hadoop's libraries, hdfs:// are known."
        ) from error


def _short(error: Exception) -> str:
    """Returns an error's first line, because Hadoop's messages list every place they searched."""
    return str(error).partition("\n")[0].rstrip(".")
