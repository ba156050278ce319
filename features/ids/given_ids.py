"""Ids as a program gives them, strictly: nothing is cast that could be meant otherwise."""

from typing import Any, Literal

import numpy as np

from features.arrays import Array, Integers
from features.ids import hashing

GivenKind = Literal["integer", "string", "fingerprint"]
"""What a program gives: integer ids, string ids, or int64 fingerprints of strings."""

_LARGEST_WHOLE_FLOAT = 2**53
"""Above, a double has lost digits of an id."""

_UNSIGNED = 2**64


def int64_ids(name: str, value: Any, kind: GivenKind | None = None) -> Integers:
    """Returns ids as records, models and caches have them.

    An unsigned id of 2^63 or more becomes the int64 with the same 64 bits.

    >>> int64_ids("item_id", [7, 2**64 - 1]).tolist()
    [7, -1]

    Args:
      name: of the input, for messages.
      value: ids, an array or a list.
      kind: what they are; None for integers, or fingerprints, of who knows.

    Raises:
      ValueError: an id is no integer or, of string ids, no string; names the first.
    """
    if kind == "string":
        return _fingerprints(name, value)
    advice = {
        "integer": "The model's ids are integers: give them as the log has them.",
        "fingerprint": "Give what features.ids.hashing.fingerprint_strings returns.",
    }.get(
        kind or "",
        "String ids go through features.ids.hashing.fingerprint_strings, as in the join.",
    )
    return int64(name, value, advice, unsigned=True)


def int64(name: str, value: Any, advice: str, unsigned: bool = False) -> Integers:
    """Returns integers as int64; an empty list and whole floats are integers too.

    Args:
      name: of the input, for messages.
      value: numbers, an array or a list.
      advice: a sentence for who gave something else.
      unsigned: whether they are ids, which may be unsigned and are no booleans.

    Raises:
      ValueError: a value is no integer of 64 bits; names the first.
    """
    array = np.asarray(value)
    if array.dtype.kind == "i" or (array.dtype.kind == "u" and (unsigned or array.itemsize < 8)):
        return array.astype(np.int64, copy=False)
    # A list of 2^63 and 1.0 is an array of rounded floats: its own values are looked at.
    items = array.ravel().tolist() if isinstance(value, np.ndarray) else _values(value)
    wrong = [one for one in items if not _is_whole(one, unsigned)]
    if wrong:
        raise ValueError(
            f"{name}: expected integers, received {repr(wrong[0])[:80]} ({array.dtype.name}). "
            f"{advice}"
        )
    bits = np.array([int(one) % _UNSIGNED for one in items], np.uint64)
    return bits.view(np.int64).reshape(array.shape)


def _fingerprints(name: str, value: Any) -> Integers:
    """Returns the int64 of string ids."""
    items = _values(value)
    for one in items:
        if not isinstance(one, str | bytes) or not one:
            raise ValueError(
                f"{name}: expected string ids, received {repr(one)[:80]} "
                f"({type(one).__name__}). The model's ids are strings: give them as the log has "
                'them. Ids that are hashed already need item_kind="fingerprint".'
            )
    return hashing.fingerprint_strings(np.array(items, object)).reshape(np.shape(value))


def _values(value: Any) -> list[Any]:
    """Returns the values of an array or list, flat, as Python's own."""
    flat: Array = np.asarray(value, object).ravel()
    return [one.item() if isinstance(one, np.generic) else one for one in flat]


def _is_whole(value: Any, unsigned: bool) -> bool:
    """Whether a value is an integer of 64 bits, or a float that holds one exactly."""
    if isinstance(value, bool):
        return not unsigned
    if isinstance(value, float):
        return value.is_integer() and abs(value) <= _LARGEST_WHOLE_FLOAT
    largest = _UNSIGNED if unsigned else _UNSIGNED // 2
    return isinstance(value, int) and -(2**63) <= value < largest
