"""Many requests to records at once: the bytes of `example.encode_request`, without its objects.

Building a `tf.train.Example` in Python is the largest part of a join, so this writes the same
protocol buffer directly: values of a whole block become bytes by array arithmetic, and a record
is the concatenation of slices of them. A test holds it to `encode_request`, byte for byte.

The wire format (protobuf.dev/programming-guides/encoding): `Example.features` is field 1,
`Features.feature` a map in field 1 with the key in field 1 and the value in field 2; a `Feature`
is a bytes, float or int64 list in field 1, 2 or 3, whose values are field 1, packed for numbers.
"""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from features.schema import (
    CANDIDATE_ITEM_ID,
    SCALARS,
    ExampleSchema,
    SideFeature,
    candidate_embedding_feature,
    candidate_feature,
    context_feature,
    similarity_feature,
)

_KINDS = {"bytes": 1, "float": 2, "int64": 3}
_MORE_BYTES = np.uint64(1) << np.arange(7, 64, 7, dtype=np.uint64)
_FIELD_1 = b"\x0a"
_FIELD_2 = b"\x12"


@dataclasses.dataclass(frozen=True)
class Slices:
    """One feature of R requests: a slice of a flat array each; slices may overlap.

    Attributes:
      values: `[N]` or `[N, K]`.
      starts: `[R]` first row of each request.
      ends: `[R]` one past the last.
    """

    values: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def one_each(cls, values: np.ndarray) -> "Slices":
        """One row of `values` a request."""
        positions = np.arange(len(values) + 1)
        return cls(values, positions[:-1], positions[1:])


def feature_kinds(schema: ExampleSchema) -> dict[str, str]:
    """Returns `int64`, `float` or `bytes` for every feature of a record, by name."""
    kinds = dict.fromkeys((*SCALARS, *schema.history, CANDIDATE_ITEM_ID), "int64")
    kinds.update(dict.fromkeys(schema.labels, "float"))
    for modality in schema.modalities:
        kinds[similarity_feature(modality.name)] = "bytes"
        if modality.candidate_embedding:
            kinds[candidate_embedding_feature(modality.name)] = "bytes"
    for side in schema.item_features:
        kinds[candidate_feature(side.name)] = _side_kind(side)
    for side in schema.context_features:
        kinds[context_feature(side.name)] = _side_kind(side)
    return kinds


def encode_requests(schema: ExampleSchema, features: Mapping[str, Slices]) -> list[bytes]:
    """Serializes requests.

    Args:
      schema: says which features a record carries.
      features: R requests' slices by the feature's name in the record; uint8 or int8 values
        where the record holds bytes.

    Returns:
      R serialized `tf.train.Example`s.

    Raises:
      KeyError: a feature of the schema is missing.
    """
    kinds = sorted(feature_kinds(schema).items())
    encoded = _encode_integers({name: features[name] for name, kind in kinds if kind == "int64"})
    parts = []
    for name, kind in kinds:
        if kind == "float":
            encoded[name] = _encode_fixed(features[name], "<f4")
        elif kind == "bytes":
            encoded[name] = _encode_fixed(features[name], features[name].values.dtype)
        parts.append([_header(name, kind, len(payload)) for payload in encoded[name]])
        parts.append(encoded[name])
    return [
        b"".join((_FIELD_1, _varint(sum(map(len, record))), *record))
        for record in zip(*parts, strict=True)
    ]


def _side_kind(side: SideFeature) -> str:
    return "int64" if side.kind == "categorical" else "float"


@functools.lru_cache(maxsize=1 << 16)
def _header(name: str, kind: str, payload: int) -> bytes:
    """Returns what precedes a feature's values: map entry, key, feature and list."""
    key = name.encode()
    # An empty packed list has no field at all; an empty byte string is still a value.
    values = _FIELD_1 + _varint(payload) if payload or kind == "bytes" else b""
    tag = bytes([_KINDS[kind] << 3 | 2])
    feature = tag + _varint(len(values) + payload) + values
    size = len(feature) + payload
    entry = _FIELD_1 + _varint(len(key)) + key + _FIELD_2 + _varint(size) + feature
    return _FIELD_1 + _varint(len(entry) + payload) + entry


@functools.lru_cache(maxsize=1 << 16)
def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _cut(data: bytes, starts: np.ndarray, ends: np.ndarray) -> list[bytes]:
    return [data[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]


def _encode_fixed(slices: Slices, dtype: npt.DTypeLike) -> list[bytes]:
    values = np.ascontiguousarray(slices.values, dtype)
    width = values.itemsize * int(np.prod(values.shape[1:]))
    return _cut(values.tobytes(), slices.starts * width, slices.ends * width)


def _encode_integers(features: Mapping[str, Slices]) -> dict[str, list[bytes]]:
    """Encodes all integer features at once, since each array operation has a fixed cost."""
    flat = [np.asarray(slices.values, np.int64).reshape(-1) for slices in features.values()]
    if not flat:
        return {}
    data, offsets = _varints(np.concatenate(flat).view(np.uint64))
    payloads, first = {}, 0
    for (name, slices), values in zip(features.items(), flat, strict=True):
        width = int(np.prod(slices.values.shape[1:]))
        starts, ends = first + slices.starts * width, first + slices.ends * width
        payloads[name] = _cut(data, offsets[starts], offsets[ends])
        first += len(values)
    return payloads


def _varints(values: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Returns `[N]` uint64 as varints one after another, and `[N + 1]` where each begins."""
    lengths = 1 + np.searchsorted(_MORE_BYTES, values, side="right")
    offsets = np.append(0, np.cumsum(lengths))
    data = np.empty(offsets[-1], np.uint8)
    rest, position = values, offsets[:-1]
    while rest.size:
        data[position] = rest.astype(np.uint8) | 128
        longer = rest > 127
        rest, position = rest[longer] >> np.uint64(7), position[longer] + 1
    data[offsets[1:] - 1] &= 127
    return data.tobytes(), offsets
