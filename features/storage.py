"""Files and folders by path or URI: local disks, `s3://`, `gs://` and `hdfs://`, by pyarrow.

A path without a scheme (or with `file://`) is local. Of `s3://` the environment that all AWS
libraries share decides: `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` (a server that is not
Amazon's), `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
`AWS_PROFILE`. `s3://` gives up connecting after 3 s and waiting after 10 s without a byte, each
tried three times; `gs://` after 15 s.

What is remote fails as `UserInputError`, since a wrong name, address or credential is what
mostly stands behind it; what is local fails as `OSError`, as `open` does.
"""

import contextlib
import functools
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from types import TracebackType
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from features.errors import UserInputError

_URI = re.compile(r"^([a-z][a-z0-9+.-]*)://([^/]*)/*(.*)$", re.DOTALL)
_CONNECT_SECONDS = 3
_REQUEST_SECONDS = 10
_ATTEMPTS = 3
_GCS_SECONDS = 15
_CHUNK_BYTES = 8 << 20
_SPOOL_BYTES = 32 << 20


def is_remote(path: str) -> bool:
    """Whether a path is a URI of another scheme than `file`."""
    match = _URI.match(path)
    return match is not None and match[1] != "file"


def join(folder: str, *parts: str) -> str:
    """Returns the path of something in a folder.

    >>> join("s3://bucket/examples/", "quarantine", "a.jsonl")
    's3://bucket/examples/quarantine/a.jsonl'
    """
    return (
        "/".join([folder.rstrip("/"), *parts])
        if is_remote(folder)
        else os.path.join(folder, *parts)
    )


def base_name(path: str) -> str:
    """Returns the last part of a path.

    >>> base_name("s3://bucket/examples/")
    'examples'
    """
    return path.rstrip("/").rpartition("/")[2]


def is_file(path: str) -> bool:
    """Whether there is a file or object of this name."""
    return _kind(path) == fs.FileType.File


def exists(path: str) -> bool:
    """Whether there is a file or a folder; on object stores, anything below this name."""
    return _kind(path) != fs.FileType.NotFound


def is_empty(folder: str) -> bool:
    """Whether nothing is below this name; a folder that does not exist is empty."""
    with _resolved(folder) as (filesystem, name):
        return not filesystem.get_file_info(fs.FileSelector(name, allow_not_found=True))


def list_files(folder: str, suffix: str = "") -> list[str]:
    """Returns the paths of a folder's files that end in `suffix`, in the order of their names.

    Raises:
      UserInputError: there is no such folder.
    """
    with _resolved(folder) as (filesystem, name):
        try:
            found = filesystem.get_file_info(fs.FileSelector(name))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserInputError(f"{folder!r} is not a folder.") from error
    names = sorted(one.base_name for one in found if one.type == fs.FileType.File)
    return [join(folder, one) for one in names if one.endswith(suffix)]


def size(path: str) -> int:
    """Returns a file's bytes."""
    with _resolved(path) as (filesystem, name):
        info = filesystem.get_file_info(name)
        if info.type != fs.FileType.File:
            raise FileNotFoundError(f"{path!r} is not a file.")
        return info.size


def open_input(path: str) -> pa.NativeFile:
    """Opens a file for reading at any position; use it as a context manager."""
    with _resolved(path) as (filesystem, name):
        return filesystem.open_input_file(name)


def open_parquet(path: str) -> pq.ParquetFile:
    """Opens a Parquet file; closing it, or leaving its block, closes the file.

    Raises:
      pa.ArrowException: it is not Parquet.
      OSError: it cannot be opened.
    """
    if not is_remote(path):
        return pq.ParquetFile(_local(path))
    with _resolved(path) as (filesystem, name):
        # Many small reads are joined to few: each is a request.
        return pq.ParquetFile(name, filesystem=filesystem, pre_buffer=True)


def read_bytes(path: str) -> bytes:
    """Returns a file's content."""
    with open_input(path) as file, _resolved(path):
        return file.read()


def chunks(path: str) -> Iterator[bytes]:
    """Yields a file's content, 8 MiB at a time."""
    with open_input(path) as file:
        while True:
            with _resolved(path):
                chunk = file.read(_CHUNK_BYTES)
            if not chunk:
                return
            yield chunk


class OutputFile:
    """A file that appears under its name when its block ends without an exception, whole.

    On local disks it is written beside its name and renamed. An object store shows an object
    when the upload is complete, but pyarrow completes an upload that an exception cut short
    too: so what is written goes to memory, above 32 MiB to a temporary file, and is uploaded
    at the end. A process that is killed meanwhile leaves no object, at most parts of an upload
    that the bucket's lifecycle rule for incomplete uploads should remove.

    Args:
      path: of the file; a local one's folder must exist.

    Attributes:
      stream: the open file, for those who want to write to one.
    """

    def __init__(self, path: str):
        self._path = path
        self._temporary = f"{_local(path)}.{uuid.uuid4().hex}.tmp"
        self.stream: IO[bytes]

    def __enter__(self) -> "OutputFile":
        if is_remote(self._path):
            self.stream = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)
        else:
            self.stream = open(self._temporary, "xb")
        return self

    def write(self, data: bytes) -> None:
        """Appends bytes."""
        self.stream.write(data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self.stream:
            if is_remote(self._path) and kind is None:
                self._upload()
        if not is_remote(self._path):
            if kind is None:
                os.replace(self._temporary, _local(self._path))
            else:
                os.remove(self._temporary)

    def _upload(self) -> None:
        self.stream.seek(0)
        with (
            _resolved(self._path) as (filesystem, name),
            filesystem.open_output_stream(name) as stream,
        ):
            shutil.copyfileobj(self.stream, stream, _CHUNK_BYTES)


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file that appears whole or not at all, in place of one of that name."""
    with OutputFile(path) as file:
        file.write(data)


def make_folder(folder: str) -> None:
    """Makes a local folder and its parents; remotely a name is a folder once a file is in it."""
    if not is_remote(folder):
        os.makedirs(_local(folder), exist_ok=True)


def remove_file(path: str) -> None:
    """Removes a file."""
    with _resolved(path) as (filesystem, name):
        filesystem.delete_file(name)


def remove_folder(folder: str) -> None:
    """Removes a folder with all that is in it, if there is one."""
    if not is_remote(folder):
        shutil.rmtree(_local(folder), ignore_errors=True)
        return
    with _resolved(folder) as (filesystem, name), contextlib.suppress(FileNotFoundError):
        filesystem.delete_dir(name)


def filesystem_of(path: str) -> tuple[fs.FileSystem, str]:
    """Returns pyarrow's file system for a path, and the path as that file system names it.

    Raises:
      UserInputError: the scheme is unknown, or its file system cannot be used here.
    """
    match = _URI.match(path)
    if match is None or match[1] == "file":
        return fs.LocalFileSystem(), _local(path)
    scheme, authority, rest = match.groups()
    if not authority and scheme != "hdfs":
        raise UserInputError(f"{path!r} names no bucket. Write {scheme}://BUCKET/FOLDER.")
    if scheme == "s3":
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        key = os.environ.get("AWS_ACCESS_KEY_ID")
        return _s3(endpoint, region, key, authority), f"{authority}/{rest}".rstrip("/")
    filesystem, base = _by_uri(scheme, authority)
    return filesystem, f"{base.rstrip('/')}/{rest}".rstrip("/")


@functools.lru_cache(maxsize=32)
def _s3(endpoint: str | None, region: str | None, key: str | None, bucket: str) -> fs.S3FileSystem:
    """Returns the file system; `key` only keeps those of two users apart."""
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
        return fs.FileSystem.from_uri(f"{scheme}://{authority}/{query}")
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{scheme}://{authority}: no such file system here ({_short(error)}). Local "
            "paths, s3://, gs:// and, with Hadoop's libraries, hdfs:// are known."
        ) from error


@contextlib.contextmanager
def _resolved(path: str) -> Iterator[tuple[fs.FileSystem, str]]:
    """Gives file system and name, and explains what fails remotely."""
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


def _kind(path: str) -> fs.FileType:
    with _resolved(path) as (filesystem, name):
        return filesystem.get_file_info(name).type


def _short(error: Exception) -> str:
    """Returns the first line of an error: Hadoop's lists every place it looked at."""
    return str(error).partition("\n")[0].rstrip(".")


def _local(path: str) -> str:
    return path.removeprefix("file://")
