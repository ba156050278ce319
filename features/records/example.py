"""A request to `tf.train.Example` bytes, and a batch of such bytes back to tensors.

| feature | in the Example | parsed |
|---|---|---|
| `user_id`, `request_id`, `timestamp` (microseconds) | int64 | `[R]` int64 |
| `history_item_id`, `history_type`, both oldest first | int64 `[l]` | `[R, L]` int64 |
| `history_time_gap` (seconds) | int64 `[l]` | `[R, L]` int64 |
| `history_residual` (with running statistics) | int64 `[l]` | `[R, L]` int64 |
| `history_mask` | | `[R, L]` bool |
| `candidate_item_id` | int64 `[c]` | `[R, C]` int64 |
| `candidate_mask` | | `[R, C]` bool |
| a label | float `[c]` | `[R, C]` float32 |
| `candidate_sample_weight` (with weights) | float `[c]` | `[R, C]` float32 |
| `candidate_position` (with positions) | float `[c]` | `[R, C]` float32 |
| `similarity_<modality>` | bytes: uint8 `[c, l]`, row-major | `[R, C, L]` uint8 |
| `candidate_embedding_<modality>` (optional) | bytes: int8 `[c, M]` | `[R, C, M]` int8 |
| `candidate_<item feature>` | int64 or float `[c * K]` | `[R, C, K]` |
| `context_<context feature>` | int64 or float `[K]` | `[R, K]` |

C and L are the largest of the batch; padding is 0 and masked.
"""

import numpy as np
import tensorflow as tf

from features.records import columnar
from features.records.requests import RankingRequest
from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_MASK,
    HISTORY_ITEM_ID,
    HISTORY_MASK,
    SCALARS,
    USER_ID,
    ExampleSchema,
    SideFeature,
    candidate_embedding_feature,
    candidate_feature,
    context_feature,
    similarity_feature,
)


def encode_request(schema: ExampleSchema, request: RankingRequest) -> bytes:
    """Serializes a request; the same request gives the same bytes.

    Args:
      schema: labels, modalities and side features of the record.
      request: the values.

    Returns:
      A serialized `tf.train.Example`.

    Raises:
      KeyError: the request lacks a label, modality or side feature of the schema.
    """
    example = tf.train.Example()
    values = request.values()
    for name, kind in columnar.feature_kinds(schema).items():
        feature, value = example.features.feature[name], values[name]
        if kind == "bytes":
            # Codes 0 to 255 and int8 values are each their own byte.
            feature.bytes_list.value.append(value.astype(np.uint8).tobytes())
        else:
            list_of_kind = feature.int64_list if kind == "int64" else feature.float_list
            list_of_kind.value.extend(value.reshape(-1).tolist())
    record: bytes = example.SerializeToString(deterministic=True)
    return record


def parse_examples(schema: ExampleSchema, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses a batch of records, in the graph.

    Args:
      schema: the schema that the records were written with.
      serialized: `[R]` string.

    Returns:
      The parsed features of the module's table, by name.

    Raises:
      InvalidArgumentError: at run time, when a record lacks a feature, or the number of its values
        does not fit the record's candidates and behaviors.
    """
    parsed = tf.io.parse_example(serialized, _parsing_spec(schema))
    behaviors = parsed[HISTORY_ITEM_ID].row_lengths()
    candidates = parsed[CANDIDATE_ITEM_ID].row_lengths()
    batch = {name: parsed[name] for name in SCALARS}
    for name in schema.history:
        batch[name] = _padded(parsed[name], behaviors, name)
    for name in (CANDIDATE_ITEM_ID, *schema.candidate_floats):
        batch[name] = parsed[name].to_tensor()
    length = tf.shape(batch[HISTORY_ITEM_ID], tf.int64)[1]
    count = tf.shape(batch[CANDIDATE_ITEM_ID], tf.int64)[1]
    batch[HISTORY_MASK] = tf.sequence_mask(behaviors, length)
    batch[CANDIDATE_MASK] = tf.sequence_mask(candidates, count)
    for modality in schema.modalities:
        name = similarity_feature(modality.name)
        batch[name] = _decode_matrix(parsed[name], candidates, behaviors, tf.uint8, name)
        if modality.candidate_embedding:
            name = candidate_embedding_feature(modality.name)
            batch[name] = _decode_rows(parsed[name], candidates, modality.dimension, name)
    for side in schema.item_features:
        name = candidate_feature(side.name)
        values = _padded(parsed[name], candidates * side.width, name)
        shape = [tf.shape(values)[0], tf.cast(count, tf.int32), side.width]
        batch[name] = tf.reshape(values, shape)
    for side in schema.context_features:
        batch[context_feature(side.name)] = parsed[context_feature(side.name)]
    return batch


def candidate_count(serialized: tf.Tensor) -> tf.Tensor:
    """Returns the number of candidates of one serialized record, scalar int32, in the graph."""
    spec = {CANDIDATE_ITEM_ID: tf.io.VarLenFeature(tf.int64)}
    return tf.size(tf.io.parse_single_example(serialized, spec)[CANDIDATE_ITEM_ID].values)


def candidate_item_ids(serialized: tf.Tensor) -> tf.Tensor:
    """Returns the item ids of all candidates of a batch, `[R]` string to `[N]` int64."""
    spec = {CANDIDATE_ITEM_ID: tf.io.VarLenFeature(tf.int64)}
    return tf.io.parse_example(serialized, spec)[CANDIDATE_ITEM_ID].values


def labeled_candidates(schema: ExampleSchema, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns what is known of each candidate of a batch without its features.

    It reads a small part of each record.

    Args:
      schema: of the records.
      serialized: `[R]` string.

    Returns:
      `USER_ID` and `CANDIDATE_ITEM_ID`, `[N]` int64, and every one of `schema.candidate_floats`,
      `[N]` float32: of all candidates of all records, in their order.

    Raises:
      tf.errors.InvalidArgumentError: a record has not one value per candidate.
    """
    names = {CANDIDATE_ITEM_ID: tf.int64} | dict.fromkeys(schema.candidate_floats, tf.float32)
    spec = {
        name: tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64) for name, dtype in names.items()
    }
    parsed = tf.io.parse_example(serialized, {USER_ID: tf.io.FixedLenFeature([], tf.int64), **spec})
    lengths = parsed[CANDIDATE_ITEM_ID].row_lengths()
    checks = [
        tf.debugging.assert_equal(
            parsed[name].row_lengths(), lengths, f"{name}: not one value per candidate"
        )
        for name in schema.candidate_floats
    ]
    with tf.control_dependencies(checks):
        flat = {name: tf.identity(parsed[name].flat_values) for name in names}
    return {USER_ID: tf.repeat(parsed[USER_ID], lengths), **flat}


def item_ids(serialized: tf.Tensor) -> tf.Tensor:
    """Returns the item ids of all behaviors and candidates of a batch, `[R]` string to `[N]` int64.

    An id is repeated as often as the batch holds it.
    """
    names = (HISTORY_ITEM_ID, CANDIDATE_ITEM_ID)
    spec = {name: tf.io.VarLenFeature(tf.int64) for name in names}
    parsed = tf.io.parse_example(serialized, spec)
    return tf.concat([parsed[name].values for name in names], axis=0)


def longest(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the most candidates and the most behaviors of a record, scalars, in the graph.

    Args:
      serialized: `[R]` string; R may be 0.
    """
    names = (CANDIDATE_ITEM_ID, HISTORY_ITEM_ID)
    spec = {name: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64) for name in names}
    parsed = tf.io.parse_example(serialized, spec)
    candidates, behaviors = (parsed[name].bounding_shape(axis=1) for name in names)
    return candidates, behaviors


def side_feature_dtype(side: SideFeature) -> tf.DType:
    """Returns the dtype in which a side feature is stored and parsed."""
    return tf.int64 if side.kind == "categorical" else tf.float32


def _parsing_spec(schema: ExampleSchema) -> dict[str, object]:
    dtypes = {"int64": tf.int64, "float": tf.float32, "bytes": tf.string}
    fixed: dict[str, list[int]] = {name: [] for name in SCALARS}
    fixed |= {context_feature(side.name): [side.width] for side in schema.context_features}
    spec: dict[str, object] = {}
    for name, kind in columnar.feature_kinds(schema).items():
        if kind == "bytes" or name in fixed:
            spec[name] = tf.io.FixedLenFeature(fixed.get(name, []), dtypes[kind])
        else:
            spec[name] = tf.io.RaggedFeature(dtypes[kind], row_splits_dtype=tf.int64)
    return spec


def _padded(values: tf.RaggedTensor, lengths: tf.Tensor, name: str) -> tf.Tensor:
    """Returns `[R, max(lengths)]`, zero padded, and checks that `lengths` `[R]` is right."""
    check = tf.debugging.Assert(
        tf.reduce_all(tf.equal(values.row_lengths(), lengths)),
        [f"{name}: the number of values does not fit the record's candidates and behaviors"],
    )
    with tf.control_dependencies([check]):
        return tf.identity(values.to_tensor())


def _decode_matrix(
    encoded: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, dtype: tf.DType, name: str
) -> tf.Tensor:
    """Decodes one row-major byte matrix per record, and pads them to one shape.

    Args:
      encoded: `[R]` string, record r holds `rows[r] * columns[r]` bytes.
      rows: `[R]` int64.
      columns: `[R]` int64.
      dtype: uint8 or int8.
      name: the feature's name, for the error message.

    Returns:
      `[R, max(rows), max(columns)]`, zero beyond each record's own shape.
    """
    flat = _decode_bytes(encoded, rows * columns, dtype, name)
    row = tf.range(tf.reduce_max(rows))[None, :, None]
    column = tf.range(tf.reduce_max(columns))[None, None, :]
    inside = (row < rows[:, None, None]) & (column < columns[:, None, None])
    # Element (i, j) of record r is byte i * columns[r] + j; padding reads byte 0 and is zeroed.
    position = tf.where(inside, row * columns[:, None, None] + column, 0)
    return tf.where(inside, tf.gather(flat, position, batch_dims=1), tf.zeros([], dtype))


def _decode_rows(encoded: tf.Tensor, rows: tf.Tensor, width: int, name: str) -> tf.Tensor:
    """Decodes int8 rows of one width, `[R]` string to `[R, max(rows), width]`, zero padded."""
    flat = _decode_bytes(encoded, rows * width, tf.int8, name)
    shape = [tf.shape(rows, tf.int64)[0], tf.reduce_max(rows), width]
    used = flat[:, : shape[1] * width]
    return tf.ensure_shape(tf.reshape(used, shape), [None, None, width])


def _decode_bytes(encoded: tf.Tensor, sizes: tf.Tensor, dtype: tf.DType, name: str) -> tf.Tensor:
    """Decodes bytes, `[R]` string to `[R, max(sizes)]`, zero padded, and checks their number."""
    message = f"{name}: the number of bytes does not fit the record's candidates and behaviors"
    with tf.control_dependencies(
        [tf.debugging.assert_equal(tf.strings.length(encoded), tf.cast(sizes, tf.int32), message)]
    ):
        longest = tf.maximum(tf.reduce_max(sizes), 1)  # decode_raw refuses a length of zero.
        return tf.io.decode_raw(encoded, dtype, fixed_length=tf.cast(longest, tf.int32))
