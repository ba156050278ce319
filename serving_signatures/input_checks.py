"""Checks in the graph, since nothing else in TF Serving could name a bad input.

Every failure is INVALID_ARGUMENT and begins with the input's name.
"""

from collections.abc import Collection, Mapping, Sequence

import tensorflow as tf

from features.embeddings import similarity
from features.records import time_gaps
from features.schema import (
    CANDIDATE_MASK,
    CANDIDATES,
    HISTORY_MASK,
    HISTORY_RESIDUAL,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ITEM_AXES,
)
from serving_signatures import names
from serving_signatures.size_bound import SizeBound

Tensors = dict[str, tf.Tensor]


def checked(
    inputs: Mapping[str, tf.Tensor],
    behavior_types: int,
    bound: SizeBound,
    unchecked: Collection[str] = (),
) -> Tensors:
    """Returns the inputs of a scoring signature after checks of their shapes and values.

    Padding in `history_type`, `history_residual` and `history_time_gap` becomes 0, whatever it was.

    Args:
      inputs: `candidate_*` `[R, C, ...]`, `history_*` `[R, L, ...]`, all others `[R, ...]`.
      behavior_types: how many values `history_type` may take.
      bound: the largest call.
      unchecked: inputs whose values are checked where they are used.
    """
    with tf.control_dependencies([*_sizes_possible(inputs, bound), *_shapes_agree(inputs)]):
        batch = {
            name: tf.identity(tensor) if name in unchecked else _finite(tensor, name)
            for name, tensor in inputs.items()
        }
    ends = {HISTORY_TYPE: behavior_types, HISTORY_RESIDUAL: similarity.CODES}
    for name, end in ends.items():
        if name in batch:
            batch[name] = _below(batch[name], batch[HISTORY_MASK], name, end)
    if HISTORY_TIME_GAP in batch:
        batch[HISTORY_TIME_GAP] = _possible_gaps(batch[HISTORY_TIME_GAP], batch[HISTORY_MASK])
    return batch


def require_tag(name: str, received: tf.Tensor, expected: str) -> tf.Operation:
    """Fails unless every received tag is this model's; the message holds both.

    It holds the wrong tags only: in a batch of several clients' requests most are right.
    """
    other = tf.not_equal(received, expected)
    return tf.debugging.Assert(
        tf.logical_not(tf.reduce_any(other)),
        [
            f"{name}: {names.OF_ANOTHER_MODEL}. Expected",
            expected,
            "received",
            tf.boolean_mask(received, other),
            "Fill the cache again from this model's signatures.",
        ],
        summarize=4,
    )


def same_rows(inputs: Mapping[str, tf.Tensor], bound: SizeBound) -> Tensors:
    """Returns inputs `[N, ...]` after checks that their N is the same, and within the bound."""
    name, first = next(iter(inputs.items()))
    checks = [bound.require_items(name, tf.shape(first, tf.int64)[0])]
    if len(inputs) > 1:
        checks.append(_leading_dimensions(inputs, list(inputs), first, 1))
    with tf.control_dependencies(checks):
        return {name: tf.identity(tensor) for name, tensor in inputs.items()}


def require_rows(tensor: tf.Tensor, name: str) -> tf.Tensor:
    """Fails if the first dimension is 0."""
    check = tf.debugging.Assert(tf.size(tensor) > 0, [f"{name}: expected at least one, received 0"])
    with tf.control_dependencies([check]):
        return tf.identity(tensor)


def finite_scores(scores: tf.Tensor, label: str, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Fails where finite inputs were so large that a score is not finite.

    Args:
      scores: `[R, C]`.
      label: their name.
      inputs: of the signature; the message names those of floats.
    """
    floats = sorted(name for name, tensor in inputs.items() if tensor.dtype.is_floating)
    blamed = ", ".join(floats) or names.EXAMPLES
    return tf.debugging.assert_all_finite(
        scores,
        f"{blamed}: a value is so far beyond those of training that {label} is not a number",
    )


def _sizes_possible(inputs: Mapping[str, tf.Tensor], bound: SizeBound) -> list[tf.Operation]:
    """Checks R, C and L by the masks."""
    requests, candidates = tf.unstack(tf.shape(inputs[CANDIDATE_MASK], tf.int64))
    behaviors = tf.shape(inputs[HISTORY_MASK], tf.int64)[1]
    masks = f"{CANDIDATE_MASK}, {HISTORY_MASK}"
    something = tf.debugging.Assert(
        (candidates > 0) | (behaviors > 0),
        [f"{masks}: expected candidates or behaviors, received requests with neither"],
    )
    return [bound.require(masks, requests, candidates, behaviors), something]


def _shapes_agree(inputs: Mapping[str, tf.Tensor]) -> list[tf.Operation]:
    """Checks that R, C and L are the masks'."""
    checks = []
    for axis in ITEM_AXES:
        same = [name for name in inputs if name.startswith(axis.prefix) and name != axis.mask]
        checks.append(_leading_dimensions(inputs, same, inputs[axis.mask], 2))
    others = [name for name in inputs if not name.startswith(CANDIDATES.prefix)]
    checks.append(_leading_dimensions(inputs, others, inputs[CANDIDATES.mask], 1))
    return checks


def _leading_dimensions(
    inputs: Mapping[str, tf.Tensor], compared: Sequence[str], model: tf.Tensor, count: int
) -> tf.Operation:
    """Fails unless inputs begin with a tensor's dimensions; names the first that does not."""
    expected = tf.shape(model)[:count]
    received = tf.stack([tf.shape(inputs[name])[:count] for name in compared])
    agree = tf.reduce_all(tf.equal(received, expected), axis=1)
    first = tf.argmin(tf.cast(agree, tf.int32))
    return tf.debugging.Assert(
        tf.reduce_all(agree),
        [
            tf.gather(tf.constant([f"{name}:" for name in compared]), first),
            "its shape does not fit the other inputs. Expected to begin with",
            expected,
            "received",
            tf.gather(received, first),
        ],
    )


def _finite(tensor: tf.Tensor, name: str) -> tf.Tensor:
    """Fails where an input holds NaN or infinity."""
    if not tensor.dtype.is_floating:
        return tf.identity(tensor)
    return tf.debugging.assert_all_finite(
        tensor, f"{name}: values must be finite, received NaN or infinity"
    )


def _below(values: tf.Tensor, mask: tf.Tensor, name: str, end: int) -> tf.Tensor:
    """Fails unless values that are no padding are in [0, end); the others become 0."""
    values = tf.where(mask, values, tf.zeros_like(values))
    lowest = tf.reduce_min(values)
    highest = tf.reduce_max(values)
    check = tf.debugging.Assert(
        tf.reduce_all((values >= 0) & (values < end)),
        [
            f"{name}: expected values from 0 to {end - 1}, received from",
            tf.strings.as_string(lowest),
            "to",
            tf.strings.as_string(highest),
        ],
    )
    with tf.control_dependencies([check]):
        return tf.identity(values)


def _possible_gaps(gaps: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Fails unless gaps `[R, L]` are as `time_gaps` says; those of padding become 0."""
    gaps = tf.where(mask, gaps, tf.zeros_like(gaps))
    lowest, highest = tf.reduce_min(gaps), tf.reduce_max(gaps)
    before, after = gaps[:, :-1], gaps[:, 1:]
    grows = (after > before) & (before > 0)
    first = tf.where(grows)[:1]  # [1, 2], or [0, 2] where none grows
    checks = [
        tf.debugging.Assert(
            (lowest >= 0) & (highest <= time_gaps.LONGEST),
            [
                f"{HISTORY_TIME_GAP}: {time_gaps.IN_RANGE}",
                tf.strings.as_string(lowest),
                "to",
                tf.strings.as_string(highest),
            ],
        ),
        tf.debugging.Assert(
            tf.equal(tf.size(first), 0),
            [
                f"{HISTORY_TIME_GAP}: {time_gaps.IN_ORDER}",
                tf.strings.as_string(tf.gather_nd(before, first)),
                "before",
                tf.strings.as_string(tf.gather_nd(after, first)),
            ],
        ),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(gaps)
