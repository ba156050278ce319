"""Hashing, look-up, quantization and similarity codes in the graph.

Tests verify that each function equals its NumPy counterpart in `hashing`, `id_table` or
`similarity` bit for bit. They are in a module of their own, so that the join's workers need no
TensorFlow.
"""

from collections.abc import Sequence

import tensorflow as tf

from features.embeddings import similarity
from features.ids import hashing

_ONE = similarity.ONE
_ZERO_COSINE = _ONE + similarity.SCALE


def fingerprint_strings(strings: tf.Tensor) -> tf.Tensor:
    """Returns each string's fingerprint, `[N]` string to int64."""
    return tf.bitcast(tf.fingerprint(strings, method="farmhash64"), tf.int64)


def bucket(ids: tf.Tensor, buckets: int) -> tf.Tensor:
    """Returns the bucket in `[0, buckets)` of each id; equal to `hashing.bucket`."""
    mixed = tf.bitcast(ids, tf.uint64)
    mixed = _xor_shift(mixed, 30) * tf.constant(hashing.MULTIPLIER_1, tf.uint64)
    mixed = _xor_shift(mixed, 27) * tf.constant(hashing.MULTIPLIER_2, tf.uint64)
    mixed = tf.bitwise.right_shift(_xor_shift(mixed, 31), tf.constant(1, tf.uint64))
    return tf.math.floormod(tf.bitcast(mixed, tf.int64), tf.constant(buckets, tf.int64))


def multiplicative(ids: tf.Tensor, bits: int) -> tf.Tensor:
    """Returns the bucket in `[0, 2^bits)` of each id; equal to `hashing.multiplicative`."""
    product = tf.bitcast(ids, tf.uint64) * tf.constant(hashing.GOLDEN_RATIO, tf.uint64)
    shift = tf.constant(64 - bits, tf.uint64)
    return tf.bitcast(tf.bitwise.right_shift(product, shift), tf.int64)


def vocabulary_rows(ids: tf.Tensor, vocabulary: tf.Tensor, oov_buckets: int) -> tf.Tensor:
    """Returns each id's row; equal to `id_table.vocabulary_rows`."""
    position, known = find(ids, vocabulary)
    return tf.where(known, oov_buckets + position, bucket(ids, oov_buckets))


def hashed_rows(ids: tf.Tensor, buckets: int, oov_buckets: int) -> tf.Tensor:
    """Returns each id's row; equal to `id_table.hashed_rows`."""
    return oov_buckets + bucket(ids, buckets)


def find(ids: tf.Tensor, vocabulary: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Looks ids up in an ascending vocabulary that is not empty.

    Args:
      ids: int64, any shape.
      vocabulary: `[N]` int64, ascending, N >= 1.

    Returns:
      The position of each id (int64, in range even for unknown ids) and whether it is known.
    """
    flat = tf.reshape(ids, [-1])
    # One tensor, because a gather from a sharded variable would return rows shard by shard.
    vocabulary = tf.convert_to_tensor(vocabulary)
    position = tf.searchsorted(vocabulary, flat, out_type=tf.int64)
    position = tf.minimum(position, tf.size(vocabulary, tf.int64) - 1)
    known = tf.equal(tf.gather(vocabulary, position), flat)
    return tf.reshape(position, tf.shape(ids)), tf.reshape(known, tf.shape(ids))


def indexed_positions(
    ids: tf.Tensor, indexed: tf.Tensor, starts: tf.Tensor, longest: int
) -> tf.Tensor:
    """Looks ids up in an `id_index`; equal to `id_table.positions` but for the order.

    Args:
      ids: int64, any shape.
      indexed: `[N]` int64, in the order of the index.
      starts: `[B]` int32, of the index; its shape is static.
      longest: of the index.

    Returns:
      Each id's position in `indexed`, N for an unknown id, int32 of the shape of `ids`.
    """
    flat = tf.reshape(ids, [-1, 1])
    bits = starts.shape[0].bit_length() - 1
    start = tf.gather(starts, multiplicative(flat, bits))
    position = start + tf.range(longest)  # [ids, longest]
    found = tf.equal(tf.gather(indexed, position), flat)
    nowhere = tf.size(indexed)
    return tf.reshape(tf.reduce_min(tf.where(found, position, nowhere), axis=1), tf.shape(ids))


def quantize(vectors: tf.Tensor, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Quantizes embeddings; equal to `similarity.quantize`.

    Args:
      vectors: `[..., M]` float32.
      name: the input's name, for the error message.

    Returns:
      Quantized vectors `[..., M]` int8 and norms `[...]` float32.

    Raises:
      InvalidArgumentError: at run time, when a value is not finite or a norm too large.
    """
    # The product is checked, because finite values beyond 2.6e36 overflow in it.
    scaled = tf.debugging.assert_all_finite(
        similarity.SCALE * vectors,
        f"{name}: embeddings must be finite, received NaN, infinity or a value beyond 2.6e36",
    )
    largest = tf.reduce_max(tf.abs(vectors), axis=-1, keepdims=True)
    rounded = tf.round(scaled / tf.where(largest > 0, largest, tf.ones_like(largest)))
    squares = tf.reduce_sum(tf.square(tf.cast(rounded, tf.int32)), axis=-1)
    with tf.control_dependencies(
        [
            tf.debugging.Assert(
                tf.reduce_all(squares <= similarity.LARGEST_EXACT_INTEGER),
                [f"{name}: squared norm after quantization must be at most 2^24"],
            )
        ]
    ):
        norms = tf.cast(tf.sqrt(tf.cast(squares, tf.float64)), tf.float32)
    return tf.cast(rounded, tf.int8), norms


def codes(
    quantized_a: tf.Tensor, norms_a: tf.Tensor, quantized_b: tf.Tensor, norms_b: tf.Tensor
) -> tf.Tensor:
    """Returns the similarity code of every pair of each request; equal to `similarity.codes`.

    Args:
      quantized_a: `[R, A, M]` int8.
      norms_a: `[R, A]` float32.
      quantized_b: `[R, B, M]` int8.
      norms_b: `[R, B]` float32.

    Returns:
      `[R, A, B]` uint8.
    """
    dots = tf.matmul(
        tf.cast(quantized_a, tf.float32), tf.cast(quantized_b, tf.float32), transpose_b=True
    )
    cosines = dots / (_or_one(norms_a)[..., :, None] * _or_one(norms_b)[..., None, :])
    found = _ONE + tf.round((cosines + _ONE) * similarity.SCALE)
    # Multiplied by masks, which broadcast, instead of tf.where with a mask of all pairs.
    for norms in (norms_a[..., :, None], norms_b[..., None, :]):
        found *= tf.cast(norms > 0, tf.float32)
    return tf.cast(found, tf.uint8)


class BucketOfCode:
    """The bucket of each code; equal to `similarity.bucket_of_code`.

    Args:
      edges: ascending inner edges in (-1, 1).

    Attributes:
      table: the bucket of each code, `[256]` int32.

    Raises:
      ValueError: they are not.
    """

    def __init__(self, edges: Sequence[float]) -> None:
        self.table = similarity.bucket_of_code(edges)
        self._line = similarity.bucket_line(tuple(edges))

    def __call__(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns int32 in `[0, len(edges) + 2)`, of the shape of integer codes."""
        if self._line is None:
            return tf.gather(self.table, tf.cast(codes, tf.int32))
        slope, offset = self._line
        return tf.cast(slope * tf.cast(codes, tf.float32) + offset, tf.int32)


def cosine_of_code(codes: tf.Tensor) -> tf.Tensor:
    """Returns the cosine in the middle of each code; equal to `similarity.cosine_of_code`.

    Args:
      codes: uint8, any shape.

    Returns:
      float32 of that shape, but 0 where that has NaN, for the unknown code.
    """
    return (code_or_zero_cosine(codes) - _ONE) / similarity.SCALE - _ONE


def code_or_zero_cosine(codes: tf.Tensor) -> tf.Tensor:
    """Returns the codes as float32, with the code of cosine 0 instead of the unknown code."""
    values = tf.cast(codes, tf.float32)
    # 128 - 128 c is 128 for the unknown code 0, and not above the code itself from 1 on. So a
    # maximum replaces tf.where and its mask of all pairs.
    return tf.maximum(values, _ZERO_COSINE - _ZERO_COSINE * values)


def _or_one(norms: tf.Tensor) -> tf.Tensor:
    """Replaces the norms 0 of missing embeddings by 1, so that they can be divided by."""
    return tf.where(norms > 0, norms, tf.ones_like(norms))


def _xor_shift(values: tf.Tensor, shift: int) -> tf.Tensor:
    shifted = tf.bitwise.right_shift(values, tf.constant(shift, tf.uint64))
    return tf.bitwise.bitwise_xor(values, shifted)
