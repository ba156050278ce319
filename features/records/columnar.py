"""Encodes many requests to records at once, with the bytes of `example.encode_request`.

Building a `tf.train.Example` in Python would take most of a join's time, so this module writes the
protocol buffer itself: array arithmetic turns the values of a whole block into bytes, and a record
is a concatenation of slices of these. A test compares it with `encode_request` byte for byte.

The wire format (protobuf.dev/programming-guides/encoding): `Example.features` is field 1.
`Features.feature` is a map in field 1, with the key in field 1 and the value in field 2. A
`Feature` is a bytes, float or int64 list in field 1, 2 or 3, whose values are field 1, packed for
numbers.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from features.arrays import Array, Integers
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
    """One feature of R requests, each a slice of a flat array; slices may overlap.

    Example: requests with the behaviors [a, b], [] and [b, c] are `values = [a, b, c]`,
    `starts = [0, 0, 1]`, `ends = [2, 0, 3]`.

    Attributes:
      values: `[N]` or `[N, K]`.
      starts: `[R]` int64, first row of each request.
      ends: `[R]` int64, one past each request's last row.
    """

    values: Array
    starts: Integers
    ends: Integers

    @classmethod
    def one_each(cls, values: Array) -> "Slices":
        """Returns slices of one row of `values` per request."""
        positions = np.arange(len(values) + 1)
        return cls(values, positions[:-1], positions[1:])


def feature_kinds(schema: ExampleSchema) -> dict[str, str]:
    """Returns `int64`, `float` or `bytes` for every feature of a record, by name."""
    kinds = dict.fromkeys((*SCALARS, *schema.history, CANDIDATE_ITEM_ID), "int64")
    kinds.update(dict.fromkeys(schema.candidate_floats, "float"))
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
      schema: the features of a record.
      features: slices of R requests, by the feature's name in the record; uint8 or int8 values for
        features that a record holds as bytes.

    Returns:
      R serialized `tf.train.Example`s.

    Raises:
      KeyError: a feature of the schema is missing.
    """
    kinds = sorted(feature_kinds(schema).items())
    encoded = _encode_integers({name: features[name] for name, kind in kinds if kind == "int64"})
    parts: list[Iterable[bytes]] = []
    for name, kind in kinds:
        if kind == "float":
            encoded[name] = _encode_fixed(features[name], "<f4")
        elif kind == "bytes":
            encoded[name] = _encode_fixed(features[name], features[name].values.dtype)
        # Two columns of R byte strings per feature: headers and values.
        lengths = list(map(len, encoded[name]))
        headers = {length: _header(name, kind, length) for length in set(lengths)}
        parts.append(map(headers.__getitem__, lengths))
        parts.append(encoded[name])
    return [
        b"".join((_FIELD_1, _varint(sum(map(len, record))), *record))
        for record in zip(*parts, strict=True)
    ]


def _side_kind(side: SideFeature) -> str:
    return "int64" if side.kind == "categorical" else "float"


@functools.lru_cache(maxsize=1 << 16)
def _header(name: str, kind: str, payload: int) -> bytes:
    """Returns the bytes before a feature's values: map entry, key, feature and list."""
    key = name.encode()
    # An empty packed list is written without its field, an empty byte string with it.
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


def _cut(data: bytes, starts: Integers, ends: Integers) -> list[bytes]:
    return [data[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]


def _encode_fixed(slices: Slices, dtype: npt.DTypeLike) -> list[bytes]:
    values = np.ascontiguousarray(slices.values, dtype)
    width = values.itemsize * int(np.prod(values.shape[1:]))
    return _cut(values.tobytes(), slices.starts * width, slices.ends * width)


def _encode_integers(features: Mapping[str, Slices]) -> dict[str, list[bytes]]:
    """Encodes all integer features together, since each array operation has a fixed cost."""
    flat = [np.asarray(slices.values, np.int64).reshape(-1) for slices in features.values()]
    if not flat:
        return {}
    data, offsets = _varints(np.concatenate(flat).view(np.uint64))
    payloads, first = {}, 0
    for (name, slices), values in zip(features.items(), flat, strict=True):
        width = int(np.prod(slices.values.shape[1:]))
        # Rows of this feature -> positions in `flat` -> positions in the bytes.
        starts, ends = first + slices.starts * width, first + slices.ends * width
        payloads[name] = _cut(data, offsets[starts], offsets[ends])
        first += len(values)
    return payloads


def _varints(values: Array) -> tuple[bytes, Array]:
    """Encodes uint64 values as protocol buffer varints: 7 bits per byte, lowest first.

    Example: 1, 300 and 5 become the bytes 01 | AC 02 | 05, with the offsets 0, 1, 3 and 4.

    Args:
      values: `[N]` uint64.

    Returns:
      The varints one after another, and their offsets `[N + 1]` int64.
    """
    lengths = np.ones(len(values), np.int64)
    for bound in _MORE_BYTES[np.less_equal(_MORE_BYTES, values.max(initial=0))]:
        lengths += values >= bound
    offsets = np.append(0, np.cumsum(lengths))
    data = np.empty(offsets[-1], np.uint8)
    # Byte k of all values at once, for those that have one; every byte but the last has bit 8 set.
    rest, position = values, offsets[:-1]
    while rest.size:
        data[position] = rest.astype(np.uint8) | 128
        longer = rest > 127
        rest, position = rest[longer] >> np.uint64(7), position[longer] + 1
    data[offsets[1:] - 1] &= 127
    return data.tobytes(), offsets
