"""Sizes of what the pipeline stores and holds, from counts; the formulas of docs/capacity.md.

Shapes: C candidates, L behaviors, N items, M multimodal width, D embedding width, H heads, d head
width, P the sum of the modalities' projection widths. `tests/docs/test_capacity.py` compares every
function with real bytes.
"""

from collections.abc import Sequence

from features.records import columnar
from features.schema import ExampleSchema, SideFeature

FRAME_BYTES = 16
"""Length and two checksums around a record of a TFRecord file."""

SHUFFLED_RECORDS = 100_000
"""The default of `training.shuffle_buffer`."""

_GROUPS = 8
"""Of users, in the item prior (`models.layers.item_prior.GROUPS`)."""

_FEATURE_BYTES = 12
"""Tags and lengths around a feature's name and values in a `tf.train.Example`."""
_TIMESTAMP_BYTES = 8


def varint_bytes(value: int) -> int:
    """Returns the bytes of an integer in a record: 7 bits each; 10 for a negative one.

    >>> varint_bytes(1), varint_bytes(20_000_000), varint_bytes(-1)
    (1, 4, 10)
    """
    return max(1, -(-(value % 2**64).bit_length() // 7))


def record_bytes(
    schema: ExampleSchema,
    candidates: float,
    behaviors: float,
    id_bytes: float = 10,
    gap_bytes: float = 4,
    category_bytes: float = 10,
) -> float:
    """Returns the mean bytes of a record in its TFRecord file.

    Args:
      schema: of the records.
      candidates: C, the mean.
      behaviors: L, the mean.
      id_bytes: of an item, user or request id, `varint_bytes` of a typical one; 10 for strings.
      gap_bytes: of a behavior's age in seconds; 3 up to 24 days, 4 up to 8 years.
      category_bytes: of a categorical side feature, likewise; 10 for strings.
    """
    kinds = columnar.feature_kinds(schema)
    fixed: float = FRAME_BYTES + sum(_FEATURE_BYTES + len(name) for name in kinds)
    fixed += 2 * id_bytes + _TIMESTAMP_BYTES
    fixed += _side_bytes(schema.context_features, category_bytes)
    per_candidate = id_bytes + 4 * len(schema.labels)
    per_candidate += _side_bytes(schema.item_features, category_bytes)
    per_candidate += sum(one.dimension for one in schema.modalities if one.candidate_embedding)
    per_behavior = id_bytes + gap_bytes + 1 + 2 * schema.has_residuals
    pairs = candidates * behaviors * len(schema.modalities)
    return fixed + candidates * per_candidate + behaviors * per_behavior + pairs


def _side_bytes(features: Sequence[SideFeature], category_bytes: float) -> float:
    return sum(one.width * (category_bytes if one.kind == "categorical" else 4) for one in features)


def event_bytes(labels: int, context_features: int = 0, statistics: int = 0) -> float:
    """Returns the bytes of an event that waits between the steps of a join.

    Args:
      labels: number of labels.
      context_features: categorical ones, of 8 bytes each.
      statistics: numeric columns of the log whose sums are recorded.
    """
    # user, item, time, request, row, content; file; behavior is a bit; role, type and split.
    return 6 * 8 + 4 + 1 / 8 + 3 + 4 * labels + 8 * context_features + 8 * statistics


def broadcast_bytes(items: int, widths: Sequence[int]) -> int:
    """Returns the bytes of the look-up tables that every worker of a join maps.

    Args:
      items: N of every set.
      widths: M of each modality.
    """
    return sum(items * (width + 20) for width in widths)


def shipped_bytes(items: int, widths: Sequence[int]) -> int:
    """Returns the bytes of items' vectors on their way to a partition, where sets are shuffled."""
    return sum(items * (width + 36) for width in widths)


def state_bytes(rows: int) -> int:
    """Returns the most bytes of a part's state: the newest L behaviors of every user.

    Args:
      rows: behaviors, at most users times L.
    """
    return 26 * rows


def sum_state_bytes(users: int, items: int, statistics: int) -> int:
    """Returns the most bytes of the sums in a part's state, where nothing is hidden by a delay.

    Args:
      users: of all parts.
      items: of all parts.
      statistics: S.
    """
    return users * (28 + 16 * statistics) + items * (20 + 8 * statistics)


def reading_bytes(items: int, widths: Sequence[int], row_group: int) -> int:
    """Returns the most memory of the launcher of a join that broadcasts, above its start.

    Args:
      items: N of every set.
      widths: M of each modality.
      row_group: rows of the largest row group of the sets' Parquet files, of float32 vectors.
    """
    # The arrays, once more where ids are not ascending; a row group is decoded and quantized whole.
    return 2 * broadcast_bytes(items, widths) + 55 * max(widths) * row_group


def table_bytes(items: int, width: int) -> int:
    """Returns the bytes of an item table, its vocabulary and each item's prior."""
    return items * (4 * width + 8 + 4)


def training_bytes(items: int, width: int, slots: int = 2, averages: int = 0) -> int:
    """Returns the bytes of an item table with all that has a row per item, in training.

    These are the vocabulary, slots of the optimizer, the average, and the item prior, which in
    training has a number per group of users besides its own.

    Args:
      items: N.
      width: D.
      slots: 2 for `adam` and `lazy_adam`, 1 for `adagrad`.
      averages: 1 with `training.averaging`, else 0.
    """
    return table_bytes(items, width) + items * 4 * (width * (slots + averages) + _GROUPS)


def content_bytes(items: int, widths: Sequence[int]) -> int:
    """Returns the bytes of embedding sets inside a SavedModel: vectors, norms, ids and index."""
    index = 1 << max(1, (items - 1).bit_length())
    return sum(items * (width + 4 + 8) + 4 * index for width in widths)


def saved_model_bytes(items: int, width: int, widths: Sequence[int] = ()) -> int:
    """Returns the bytes of a SavedModel's variables without the dense layers.

    Args:
      items: N.
      width: D.
      widths: M of each modality whose set is inside.
    """
    return table_bytes(items, width) + content_bytes(items, widths)


def id_row_bytes(heads: int, head_width: int, width: int) -> int:
    """Returns the bytes of an item in `id_projections`: query, key, value, embedding and prior."""
    return 4 * (3 * heads * head_width + width + 1)


def target_aware_row_bytes(widths: Sequence[int], projection_width: int) -> int:
    """Returns the bytes of an item in `target_aware_projections`.

    Args:
      widths: M of each modality.
      projection_width: of each modality; their sum is P.
    """
    return sum(width + 4 + 4 * projection_width for width in widths)


def redis_entry_bytes(cache: str, row_bytes: int, id_characters: int, prefix: str = "dmf") -> int:
    """Returns the bytes of an item's key and value in Redis, without Redis' own bookkeeping.

    Args:
      cache: its name.
      row_bytes: of an item in it.
      id_characters: of the item's id as a decimal number; a fingerprint has up to 20.
      prefix: of every key.
    """
    # <prefix>:<cache>:<tag>:<item id>, and a checksum of 8 bytes before the row
    return len(prefix) + len(cache) + 16 + id_characters + 3 + 8 + row_bytes


def request_bytes(candidates: int, behaviors: int, widths: Sequence[int] = ()) -> int:
    """Returns the tensor bytes of a `score_request` without side features.

    Args:
      candidates: C.
      behaviors: L.
      widths: M of each modality whose vectors are in the request; none where sets are inside.
    """
    vectors = 4 * sum(widths)
    return candidates * (8 + 1 + vectors) + behaviors * (3 * 8 + 1 + vectors)
