"""Decodes one record to its request, without TensorFlow's graph.

Clients read records with it, and tests compare it with `example.parse_examples`.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from features.arrays import Array
from features.records import columnar
from features.records.requests import RankingRequest
from features.schema import (
    CANDIDATE_ITEM_ID,
    HISTORY,
    HISTORY_ITEM_ID,
    SCALARS,
    ExampleSchema,
    candidate_embedding_feature,
    candidate_feature,
    context_feature,
    similarity_feature,
)


def decode_request(schema: ExampleSchema, record: bytes) -> RankingRequest:
    """Decodes a record of `example.encode_request` or of the join.

    Args:
      schema: the schema that the record was written with.
      record: a serialized `tf.train.Example`.

    Raises:
      ValueError: the bytes are no Example, or a feature is missing or has another size.
    """
    try:
        feature = tf.train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise ValueError(f"not a serialized tf.train.Example: {error}") from error
    candidates = len(feature[CANDIDATE_ITEM_ID].int64_list.value)
    behaviors = len(feature[HISTORY_ITEM_ID].int64_list.value)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(SCALARS, (1,))
    shapes |= dict.fromkeys(schema.history, (behaviors,))
    shapes |= dict.fromkeys((CANDIDATE_ITEM_ID, *schema.candidate_floats), (candidates,))
    for one in schema.modalities:
        shapes[similarity_feature(one.name)] = candidates, behaviors
        shapes[candidate_embedding_feature(one.name)] = candidates, one.dimension
    for side in schema.item_features:
        shapes[candidate_feature(side.name)] = candidates, side.width
    for side in schema.context_features:
        shapes[context_feature(side.name)] = (side.width,)
    values = {
        name: _decoded(feature[name], name, kind, shapes[name])
        for name, kind in columnar.feature_kinds(schema).items()
    }
    fields: dict[str, Any] = {name: int(values.pop(name)[0]) for name in SCALARS}
    fields |= {name: values.pop(name) for name in (CANDIDATE_ITEM_ID, *HISTORY)}
    fields["labels"] = {name: values.pop(name) for name in schema.labels}
    return RankingRequest(**fields, features=values)


def _decoded(feature: tf.train.Feature, name: str, kind: str, shape: tuple[int, ...]) -> Array:
    """Returns a feature's values in its shape."""
    if kind == "bytes":
        dtype = np.uint8 if name.startswith(similarity_feature("")) else np.int8
        values = np.frombuffer(b"".join(feature.bytes_list.value), dtype)
    elif kind == "int64":
        values = np.array(feature.int64_list.value, np.int64)
    else:
        values = np.array(feature.float_list.value, np.float32)
    if values.size != np.prod(shape, dtype=int):
        raise ValueError(f"{name} has {values.size} values, expected {' * '.join(map(str, shape))}")
    return values.reshape(shape)
