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
from collections.abc import Callable, Mapping

import numpy as np

from features.example import HISTORY, SCALARS
from features.schema import ExampleSchema, SideFeature

_KINDS = {"bytes": 1, "float": 2, "int64": 3}
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
    kinds = dict.fromkeys((*SCALARS, *HISTORY, "candidate_item_id"), "int64")
    kinds.update(dict.fromkeys(schema.labels, "float"))
    for modality in schema.modalities:
        kinds[f"similarity_{modality.name}"] = "bytes"
        if modality.candidate_embedding:
            kinds[f"candidate_embedding_{modality.name}"] = "bytes"
    for side in schema.item_features:
        kinds[f"candidate_{side.name}"] = _side_kind(side)
    for side in schema.context_features:
        kinds[f"context_{side.name}"] = _side_kind(side)
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
    parts = []
    for name, kind in sorted(feature_kinds(schema).items()):
        payloads = _ENCODERS[kind](features[name])
        parts.append([_header(name, kind, len(payload)) for payload in payloads])
        parts.append(payloads)
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


def _encode_bytes(slices: Slices) -> list[bytes]:
    width = int(np.prod(slices.values.shape[1:]))
    data = np.ascontiguousarray(slices.values).tobytes()
    return _cut(data, slices.starts * width, slices.ends * width)


def _encode_floats(slices: Slices) -> list[bytes]:
    width = 4 * int(np.prod(slices.values.shape[1:]))
    data = np.ascontiguousarray(slices.values, "<f4").tobytes()
    return _cut(data, slices.starts * width, slices.ends * width)


def _encode_integers(slices: Slices) -> list[bytes]:
    width = int(np.prod(slices.values.shape[1:]))
    values = np.ascontiguousarray(slices.values, np.int64).reshape(-1).view(np.uint64)
    rest, lengths = values, np.ones(len(values), np.int64)
    digits = []
    while True:
        digits.append((rest & np.uint64(127)).astype(np.uint8))
        rest = rest >> np.uint64(7)
        if not rest.any():
            break
        lengths += rest > 0
    matrix = np.stack(digits, axis=1)
    position = np.arange(matrix.shape[1])
    matrix |= ((position < lengths[:, None] - 1) << 7).astype(np.uint8)
    data = matrix[position < lengths[:, None]].tobytes()
    offsets = np.append(0, np.cumsum(lengths))
    return _cut(data, offsets[slices.starts * width], offsets[slices.ends * width])


_ENCODERS: dict[str, Callable[[Slices], list[bytes]]] = {
    "bytes": _encode_bytes,
    "float": _encode_floats,
    "int64": _encode_integers,
}
