"""Whether the versions that a server keeps loaded fit its memory together."""

from collections.abc import Mapping

from features.errors import UserInputError

_GIB = 2**30
_SERVER_BYTES = _GIB // 2
"""TensorFlow, threads, and the requests that run at one time."""
_SESSION_BYTES = _GIB // 8
"""Graph, session and warm-up of one version, whatever the size of its tables."""
_PER_FILE_BYTE = 1.1
"""Tables are in memory as they are in the files; the rest is what the allocator wastes."""


def needed_bytes(sizes: Mapping[int, int]) -> int:
    """Returns the memory of a server that has loaded some versions, rounded up.

    Args:
      sizes: bytes of the files by version.
    """
    return _SERVER_BYTES + sum(map(_version_bytes, sizes.values()))


def check(sizes: Mapping[int, int], memory_gib: float, setting: str) -> None:
    """Checks that a server has room for the versions.

    Args:
      sizes: bytes of the files by version, of all that are loaded at one time.
      memory_gib: of a server.
      setting: what gives that, for the message.

    Raises:
      UserInputError: they do not fit; has the memory of each.
    """
    needed = needed_bytes(sizes)
    if needed <= memory_gib * _GIB:
        return
    each = ", ".join(
        f"version {number} {_gib(_version_bytes(size))}" for number, size in sorted(sizes.items())
    )
    raise UserInputError(
        f"{setting}={memory_gib:g}: the versions that are loaded together need {_gib(needed)} GiB "
        f"({each}, the server itself {_gib(_SERVER_BYTES)}). Give the servers that much memory, "
        "or promote fewer versions: one is unloaded when no label is at it any more."
    )


def _version_bytes(size: int) -> int:
    return _SESSION_BYTES + round(size * _PER_FILE_BYTE)


def _gib(size: int) -> str:
    """Returns GiB with two decimals, rounded up: what is written here is enough."""
    return f"{-(-size * 100 // _GIB) / 100:.2f}"
