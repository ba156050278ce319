"""Features whose values never reach a log."""

import hashlib
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from features.arrays import Array
from features.schema import (
    CANDIDATES,
    ITEM_AXES,
    SCALARS,
    ItemAxis,
    candidate_embedding_feature,
    similarity_feature,
)
from serving_signatures import names
from serving_signatures.request_logs.log_record import delimited

LEAST_KEY_BYTES = 16

_MODEL_SPEC = predict_pb2.PredictRequest.MODEL_SPEC_FIELD_NUMBER
_INPUTS = predict_pb2.PredictRequest.INPUTS_FIELD_NUMBER
_OUTPUT_FILTER = predict_pb2.PredictRequest.OUTPUT_FILTER_FIELD_NUMBER
_OF_ITEMS = (
    *(names.QUERY, names.KEY, names.VALUE),
    *(names.ID_EMBEDDING, names.ITEM_PRIOR, names.PROJECTION, names.ATTENTION_CONTENT),
)
_OF_MODALITIES = (
    *(names.quantized(""), names.norm(""), names.vector("")),
    candidate_embedding_feature("").removeprefix(CANDIDATES.prefix),
)


class RedactionError(ValueError):
    """A call cannot be written, because a value of it might be one that has to be redacted."""


class Redaction:
    """Replaces the values of named features, in inputs and in serialized records.

    An item id is also in what was computed from it. So with `candidate_item_id` or
    `history_item_id`, the projections, vectors and similarity codes of these items become
    constants as well.

    Args:
      constant: features that become 0, or empty text; shapes stay.
      hashed: integers and texts that become keyed hashes (BLAKE2b): equal values stay equal, and
        without the key nobody can look up which value it was.
      key: of the hashes, at least 16 bytes. It is written nowhere.

    Raises:
      ValueError: a name is in both, or the key is missing or short.
    """

    def __init__(
        self, constant: Iterable[str] = (), hashed: Iterable[str] = (), key: bytes = b""
    ) -> None:
        self._hashed = frozenset(hashed)
        self.names = frozenset(constant) | self._hashed
        if both := self._hashed & frozenset(constant):
            raise ValueError(f"{sorted(both)} are to be constant and hashed: name each once.")
        if self._hashed and len(key) < LEAST_KEY_BYTES:
            raise ValueError(
                f"Hashes need a key of at least {LEAST_KEY_BYTES} bytes, received {len(key)}: "
                "without one, whoever has the ids can hash them too."
            )
        self._key = key[: hashlib.blake2b.MAX_KEY_SIZE]

    def request(self, request: Any) -> tuple[bytes, frozenset[str]]:
        """Returns a serialized PredictRequest without the values, and which names it had.

        Raises:
          RedactionError: a name is no input of the call, or a value is of no kind that can be
            replaced.
        """
        if not self.names:
            return request.SerializeToString(), frozenset()
        parts = [delimited(_MODEL_SPEC, request.model_spec.SerializeToString())]
        present, redacted = set(request.inputs), set()
        for name, tensor in request.inputs.items():
            if name == names.EXAMPLES:
                tensor, of_records, replaced = self._records(tensor)
                present |= of_records
                redacted |= replaced
            elif self._is_redacted(name):
                tensor = self._tensor(name, tensor)
                redacted.add(name)
            entry = delimited(1, name.encode()) + delimited(2, tensor.SerializeToString())
            parts.append(delimited(_INPUTS, entry))
        self._check(present)
        parts += [delimited(_OUTPUT_FILTER, name.encode()) for name in request.output_filter]
        return b"".join(parts), frozenset(redacted)

    def _check(self, present: Collection[str]) -> None:
        """Refuses a name that is nowhere: it may be misspelled, and its value in the call."""
        unknown = [
            name
            for name in sorted(self.names - set(present))
            if name not in SCALARS and not _is_of_an_item(name)
        ]
        if unknown:
            raise RedactionError(
                f"{unknown} are to be redacted, but the call has no such input. Nothing is logged, "
                f"since a name may be misspelled; expected names of {sorted(present)}."
            )

    def _is_redacted(self, name: str) -> bool:
        return name in self.names or any(
            axis.item_id in self.names and _is_computed(name, axis) for axis in ITEM_AXES
        )

    def _tensor(self, name: str, tensor: Any) -> Any:
        """Returns a tensor of the same dtype and shape."""
        replaced = tensor_pb2.TensorProto(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape)
        count = 1
        for dimension in tensor.tensor_shape.dim:
            count *= max(dimension.size, 0)
        is_text = tensor.dtype == tf.string.as_datatype_enum
        if name in self._hashed:
            values = tf.make_ndarray(tensor)
            if is_text:
                replaced.string_val.extend(self._texts(values.reshape(-1).tolist()))
            else:
                replaced.tensor_content = self._integers(name, values).tobytes()
        elif is_text:
            replaced.string_val.append(b"")  # The last value stands for all that follow.
        else:
            dtype = tf.dtypes.as_dtype(tensor.dtype)
            replaced.tensor_content = bytes(count * dtype.size)
        return replaced

    def _records(self, tensor: Any) -> tuple[Any, set[str], set[str]]:
        """Returns a tensor of serialized Examples, their features, and those replaced."""
        present: set[str] = set()
        redacted: set[str] = set()
        records = []
        for data in tf.make_ndarray(tensor).reshape(-1).tolist():
            record = tf.train.Example.FromString(data)
            for name, feature in record.features.feature.items():
                present.add(name)
                if self._is_redacted(name):
                    redacted.add(name)
                    self._replace(name, feature)
            records.append(record.SerializeToString(deterministic=True))
        return tf.make_tensor_proto(records, tf.string), present, redacted

    def _replace(self, name: str, feature: Any) -> None:
        """Replaces the values of an Example's feature."""
        kind = feature.WhichOneof("kind")
        if kind is None:
            return
        values = getattr(feature, kind).value
        replaced: Any
        if name not in self._hashed:
            replaced = [bytes(len(one)) if kind == "bytes_list" else 0 for one in values]
        elif kind == "bytes_list":
            replaced = self._texts(values)
        else:
            replaced = self._integers(name, np.array(values)).tolist()
        values[:] = replaced

    def _texts(self, values: Iterable[bytes]) -> list[bytes]:
        return [self._hash(value, 16).hex().encode() for value in values]

    def _integers(self, name: str, values: Array) -> Array:
        if values.dtype.kind not in "iu":
            raise RedactionError(
                f"{name} is of {values.dtype.name}, but only integers and texts can be hashed: "
                "make it constant."
            )
        unique, places = np.unique(values, return_inverse=True)
        size = values.dtype.itemsize
        hashes = [self._hash(one.tobytes(), size) for one in unique]
        return np.frombuffer(b"".join(hashes), values.dtype)[places].reshape(values.shape)

    def _hash(self, value: bytes, size: int) -> bytes:
        return hashlib.blake2b(value, digest_size=size, key=self._key).digest()


def _is_computed(name: str, axis: ItemAxis) -> bool:
    """Whether an input or feature was computed from the ids along an axis."""
    own = name.removeprefix(axis.prefix)
    if name.startswith(axis.prefix) and (own in _OF_ITEMS or own.startswith(_OF_MODALITIES)):
        return True
    return name.startswith(similarity_feature(""))


def _is_of_an_item(name: str) -> bool:
    """Whether a name is an item's id, or computed from it; each signature has some of them."""
    return any(name == axis.item_id or _is_computed(name, axis) for axis in ITEM_AXES)
