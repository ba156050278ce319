"""One record back to the request that it was made from, without TensorFlow's graph.

What a client reads out of a record, and a second opinion on `example.parse_examples`.
"""

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from features.records.example import Request
from features.schema import (
    CANDIDATE_ITEM_ID,
    HISTORY_ITEM_ID,
    HISTORY_RESIDUAL,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ExampleSchema,
    SideFeature,
    candidate_embedding_feature,
    candidate_feature,
    context_feature,
    similarity_feature,
)


def decode_request(schema: ExampleSchema, record: bytes) -> Request:
    """Decodes what `example.encode_request` wrote.

    Args:
      schema: as it was written with.
      record: a serialized `tf.train.Example`.

    Raises:
      ValueError: the bytes are no Example, or a feature is missing or of another size.
    """
    try:
        feature = tf.train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise ValueError(f"not a serialized tf.train.Example: {error}") from error

    def integers(name: str) -> np.ndarray:
        return np.array(feature[name].int64_list.value, np.int64)

    def floats(name: str) -> np.ndarray:
        return np.array(feature[name].float_list.value, np.float32)

    def matrix(name: str, dtype: type, rows: int, columns: int) -> np.ndarray:
        (value,) = feature[name].bytes_list.value or (b"",)
        return _shaped(np.frombuffer(value, dtype), (rows, columns), name)

    def side_values(name: str, side: SideFeature, shape: tuple[int, ...]) -> np.ndarray:
        values = integers(name) if side.kind == "categorical" else floats(name)
        return _shaped(values, shape, name)

    history = {name: integers(name) for name in schema.history}
    length = len(history[HISTORY_ITEM_ID])
    candidates = integers(CANDIDATE_ITEM_ID)
    count = len(candidates)
    return Request(
        user_id=int(_shaped(integers("user_id"), (1,), "user_id")[0]),
        request_id=int(_shaped(integers("request_id"), (1,), "request_id")[0]),
        timestamp=int(_shaped(integers("timestamp"), (1,), "timestamp")[0]),
        history_item_id=history[HISTORY_ITEM_ID],
        history_time_gap=_shaped(history[HISTORY_TIME_GAP], (length,), HISTORY_TIME_GAP),
        history_type=_shaped(history[HISTORY_TYPE], (length,), HISTORY_TYPE),
        history_residual=history.get(HISTORY_RESIDUAL),
        candidate_item_id=candidates,
        labels={label: _shaped(floats(label), (count,), label) for label in schema.labels},
        similarity={
            name: matrix(similarity_feature(name), np.uint8, count, length)
            for name in schema.modality_names
        },
        candidate_embedding={
            one.name: matrix(candidate_embedding_feature(one.name), np.int8, count, one.dimension)
            for one in schema.modalities
            if one.candidate_embedding
        },
        item_features={
            side.name: side_values(candidate_feature(side.name), side, (count, side.width))
            for side in schema.item_features
        },
        context_features={
            side.name: side_values(context_feature(side.name), side, (side.width,))
            for side in schema.context_features
        },
    )


def _shaped(values: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    if values.size != np.prod(shape, dtype=int):
        raise ValueError(f"{name} has {values.size} values, expected {' * '.join(map(str, shape))}")
    return values.reshape(shape)
