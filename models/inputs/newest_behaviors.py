"""The newest behaviors of a batch: what attention reads of a long history."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from features.schema import HISTORY_MASK, similarity_feature


def truncate_history(
    batch: Mapping[str, tf.Tensor], count: int, modalities: Sequence[str]
) -> dict[str, tf.Tensor]:
    """Returns a batch whose histories end where they ended and are at most `count` long.

    R requests, C candidates, L behaviors. It costs a look-up a behavior that is kept, and as many
    of the codes; what then reads those costs `count / L` of what it did.

    Args:
      batch: parsed requests; every `history_*` is `[R, L, ...]`, every `similarity_*` of the
        modalities `[R, C, L]`.
      count: behaviors that are kept.
      modalities: names of those whose codes are cut too.

    Returns:
      The batch with those tensors `[R, W, ...]` and `[R, C, W]`, where W is `count` or L, if that
      is less. A history that is padded behind its end keeps its newest behaviors.
    """
    mask = batch[HISTORY_MASK]
    length = tf.shape(mask)[1]
    kept = tf.minimum(count, length)
    end = tf.reduce_max(tf.where(mask, tf.range(1, length + 1), 0), axis=1)
    start = tf.maximum(end - kept, 0)
    places = start[:, None] + tf.range(kept)  # [R, W]
    cut = dict(batch)
    for name, values in batch.items():
        if name.startswith("history_"):
            cut[name] = tf.gather(values, places, batch_dims=1)
    for modality in modalities:
        name = similarity_feature(modality)
        cut[name] = _cut_codes(batch[name], places)
    return cut


def _cut_codes(codes: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Returns `[R, C, W]` of `[R, C, L]`: C codes a look-up, not one."""
    cut = tf.gather(tf.transpose(codes, [0, 2, 1]), places, batch_dims=1)
    return tf.ensure_shape(tf.transpose(cut, [0, 2, 1]), [*codes.shape[:2], None])
