"""Truncates long histories to their newest behaviors, which attention reads."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from features.schema import BEHAVIORS, similarity_feature


def truncate_history(
    batch: Mapping[str, tf.Tensor], count: int, modalities: Sequence[str]
) -> dict[str, tf.Tensor]:
    """Returns a batch whose histories hold their newest `count` behaviors.

    It costs one look-up per kept behavior, and one per kept column of codes; layers that read the
    result cost `count / L` of what they would.

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
        cut[name] = _cut_codes(batch[name], places)
    return cut


def _cut_codes(codes: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Returns `[R, C, W]` of `[R, C, L]`; transposed, so that one look-up copies C codes."""
    cut = tf.gather(tf.transpose(codes, [0, 2, 1]), places, batch_dims=1)
    return tf.ensure_shape(tf.transpose(cut, [0, 2, 1]), [*codes.shape[:2], None])
