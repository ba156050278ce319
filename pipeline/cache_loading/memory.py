"""How much memory of Redis a load takes, and whether there is room."""

from collections.abc import Mapping
from typing import Any

from absl import logging

from features.errors import UserInputError

_BOOKKEEPING = 112
"""Bytes per key that expires: two entries of dictionaries, an object, places in tables."""

_KEEPS = "noeviction"


def entry_bytes(key_bytes: int, value_bytes: int) -> int:
    """Returns the most memory that an entry takes in Redis with jemalloc, once tables have grown.

    >>> entry_bytes(44, 520)
    800

    Args:
      key_bytes: of its key.
      value_bytes: of its value.
    """
    return _BOOKKEEPING + _allocated(key_bytes + 4) + _allocated(value_bytes + 6)


def check_room(place: str, info: Mapping[str, Any], needed: int) -> None:
    """Refuses a load for which there is no room, and warns where Redis may throw entries out.

    Args:
      place: of the server.
      info: what it says of itself.
      needed: bytes that the load adds.

    Raises:
      UserInputError: Redis would refuse entries, or throw others out for them.
    """
    most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    policy = info.get("maxmemory_policy", _KEEPS)
    name, limit = "maxmemory", most
    if not most:
        name, limit = "the memory of its machine", int(info.get("total_system_memory", 0))
    if limit and used + needed > limit:
        lost = "refuse the rest" if policy == _KEEPS else f"throw others out ({policy})"
        raise UserInputError(
            f"Redis at {place} has no room: this load adds {_mib(needed)}, {_mib(used)} are in "
            f"use, and {name} is {_mib(limit)}: it would take a part of the rows and {lost}. "
            f"Raise maxmemory to {_mib(used + needed)} or more, or wait until former tags have "
            "expired (--keep_old_seconds)."
        )
    if most and policy != _KEEPS:
        logging.warning(
            "Redis at %s: maxmemory-policy is %s, so entries can be thrown out when it fills up; "
            "clients compute those again. noeviction keeps them.",
            place,
            policy,
        )


def _allocated(size: int) -> int:
    """Returns what jemalloc gives for a size: multiples of 16 up to 128, then four per doubling."""
    if size <= 128:
        return -(-size // 16) * 16
    step = 1 << ((size - 1).bit_length() - 3)
    return -(-size // step) * step


def _mib(size: int) -> str:
    return f"{-(-size >> 20):,} MiB"
