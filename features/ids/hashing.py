"""Stable 64-bit id hashing, the same in NumPy as in the graph (`in_graph`).

There are two steps. Tests pin both, because trained tables depend on them:

1. A string id becomes an int64 by FarmHash Fingerprint64 (`tf.fingerprint`'s method).
   An integer id is used as it is, see `features.id_kinds`.
2. An int64 id becomes a row by the finalizer of SplitMix64 (Steele et al., "Fast splittable
   pseudorandom number generators", OOPSLA 2014), which spreads consecutive ids evenly.
"""

import farmhash
import numpy as np
import pyarrow as pa

from features.arrays import Array, Integers

MULTIPLIER_1 = 0xBF58476D1CE4E5B9
MULTIPLIER_2 = 0x94D049BB133111EB
GOLDEN_RATIO = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio, made odd."""


def fingerprint_strings(strings: Array) -> Array:
    """Returns the int64 fingerprint of each string.

    Args:
      strings: `[N]` str or bytes (UTF-8).

    Returns:
      `[N]` int64; equal to `in_graph.fingerprint_strings`.
    """
    unsigned = np.fromiter(
        (farmhash.Fingerprint64(string) for string in strings), np.uint64, len(strings)
    )
    return unsigned.view(np.int64)


def ids_of_column(column: pa.ChunkedArray | pa.Array) -> Integers:
    """Returns the int64 ids of a column without nulls: integers as they are, strings hashed.

    An unsigned id of 2^63 or more becomes the int64 with the same 64 bits.
    """
    if pa.types.is_integer(column.type):
        return np.asarray(column.cast(pa.int64(), safe=column.type != pa.uint64()))
    encoded = column.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    if not len(encoded):
        return np.zeros(0, np.int64)
    # Each distinct string is hashed once.
    distinct = fingerprint_strings(encoded.dictionary.to_numpy(zero_copy_only=False))
    positions: Integers = encoded.indices.to_numpy()
    return distinct[positions]


def bucket(ids: Integers, buckets: int) -> Integers:
    """Returns the bucket in `[0, buckets)` of each id, any shape, int64 to int64."""
    mixed = mix(np.asarray(ids, np.int64).view(np.uint64))
    return (mixed >> np.uint64(1)).view(np.int64) % np.int64(buckets)


def rows_by_bucket(ids: Integers, buckets: int) -> list[Integers]:
    """Returns the positions of each bucket's ids, ascending; `[N]` int64 ids."""
    # Three ids in buckets 1 0 1: counts are 1 2, ends 1 3, and the positions [1] and [0, 2].
    found = bucket(ids, buckets)
    ends = np.cumsum(np.bincount(found, minlength=buckets))
    return np.split(np.argsort(found, kind="stable"), ends[:-1])


def multiplicative(ids: Integers, bits: int) -> Integers:
    """Returns the bucket in `[0, 2^bits)` of each id, any shape, int64 to int64.

    Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4) is less even than `bucket` but
    takes a third of its operations in the graph. `bits` is between 1 and 63.
    """
    product = np.asarray(ids, np.int64).view(np.uint64) * np.uint64(GOLDEN_RATIO)
    return (product >> np.uint64(64 - bits)).view(np.int64)


def mix(values: Array) -> Array:
    """Returns SplitMix64's finalizer of each value, uint64 of any shape; a bijection, 0 -> 0."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(MULTIPLIER_1)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(MULTIPLIER_2)
    finalized: Array = mixed ^ (mixed >> np.uint64(31))
    return finalized


def combine(first: Array, second: Array) -> Integers:
    """Returns a stable hash of each pair in `[0, 2^62)`, `[N]` int64 each; order matters."""
    largest = 1 << 62
    return bucket(np.asarray(first, np.int64) + bucket(second, largest), largest)
