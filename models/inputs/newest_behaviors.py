"""Truncates long histories to their newest behaviors, which attention reads."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from features.schema import BEHAVIORS, similarity_feature
from kernels import library, pairs


def truncate_history(
    batch: Mapping[str, tf.Tensor], count: int, modalities: Sequence[str]
) -> dict[str, tf.Tensor]:
    """Returns a batch whose histories hold their newest `count` behaviors.

    It costs one look-up per kept behavior, and one copy per candidate and modality; layers that
    read the result cost `count / L` of what they would.

    Shapes: R requests, C candidates, L behaviors, W kept behaviors, `W = min(count, L)`.

    Example with `count = 2`, for histories of three, one and no behavior (. is padding):

        [a, b, c]      [b, c]
        [d, ., .]  ->  [d, .]
        [., ., .]      [., .]

    Args:
      batch: parsed requests; every `history_*` is `[R, L, ...]`, and `similarity_*` of the
        modalities is `[R, C, L]`.
      count: behaviors to keep.
      modalities: names of the modalities whose codes are truncated too.

    Returns:
      The batch with these tensors as `[R, W, ...]` and `[R, C, W]`.
    """
    mask = batch[BEHAVIORS.mask]
    length = tf.shape(mask)[1]
    kept = tf.minimum(count, length)
    # One past the last behavior of each history, whatever padding follows it, [R].
    end = tf.reduce_max(tf.where(mask, tf.range(1, length + 1), 0), axis=1)
    start = tf.maximum(end - kept, 0)
    places = start[:, None] + tf.range(kept)  # [R, W]
    cut = dict(batch)
    for name, values in batch.items():
        if name.startswith(BEHAVIORS.prefix):
            cut[name] = tf.gather(values, places, batch_dims=1)
    for modality in modalities:
        name = similarity_feature(modality)
        if library.ops():
            cut[name] = pairs.newest_codes(batch[name], start, kept)
            continue
        windows = _windows(tf.shape(batch[name]), start, kept)
        cut[name] = _cut_codes(batch[name], windows, kept)
    return cut


def _windows(shape: tf.Tensor, start: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
    """Returns where the kept codes of each candidate begin and end in flattened `[R, C, L]` codes.

    Args:
      shape: R, C and L.
      start: `[R]`, the first behavior that is kept.
      kept: W.

    Returns:
      The ends of `2 * R * C + 1` slices, int64: the odd ones are kept, and the others lie between.
    """
    requests, candidates, length = tf.unstack(tf.cast(shape, tf.int64))
    rows = tf.reshape(tf.range(requests * candidates) * length, [requests, candidates])
    begin = rows + tf.cast(start, tf.int64)[:, None]
    bounds = tf.reshape(tf.stack([begin, begin + tf.cast(kept, tf.int64)], axis=-1), [-1])
    return tf.concat([bounds, [requests * candidates * length]], axis=0)


def _cut_codes(codes: tf.Tensor, windows: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
    """Returns `[R, C, W]` of `[R, C, L]`: a copy of W bytes for each candidate, not W look-ups."""
    shape = tf.shape(codes)
    slices = tf.RaggedTensor.from_row_limits(tf.reshape(codes, [-1]), windows, validate=False)
    odd = tf.range(1, tf.size(windows), 2)
    cut = tf.gather(slices, odd).flat_values
    return tf.ensure_shape(tf.reshape(cut, [shape[0], shape[1], kept]), [*codes.shape[:2], None])
