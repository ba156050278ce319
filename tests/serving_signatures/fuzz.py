"""Requests that are wrong in one way or another, each with the inputs that it may be blamed on."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

Arrays = dict[str, np.ndarray]

DTYPES = (np.float32, np.float64, np.int32, np.int64, np.int8, np.bool_, np.uint8, np.float16)
LIMITS = np.iinfo(np.int64)
SIDES = ("candidate_", "history_")


@dataclasses.dataclass(frozen=True)
class Case:
    """A request, what is wrong with it, and the names that a refusal may blame."""

    kind: str
    request: predict_pb2.PredictRequest
    blamed: frozenset[str]


def cases(good: Mapping[str, Arrays], model: str, count: int, seed: int) -> Iterator[Case]:
    """Yields wrong requests.

    Args:
      good: inputs that are right, by signature.
      model: its name.
      count: how many.
      seed: of everything drawn.
    """
    rng = np.random.default_rng(seed)
    signatures = sorted(good)
    for _ in range(count):
        signature = signatures[rng.integers(len(signatures))]
        kinds = sorted(SPOILED)
        kind = kinds[rng.integers(len(kinds))]
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = signature
        arrays = {name: value.copy() for name, value in good[signature].items()}
        blamed = SPOILED[kind](rng, arrays, request)
        if blamed is None:
            continue
        for name, value in arrays.items():
            if name not in request.inputs:
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        yield Case(f"{signature}/{kind}", request, frozenset(blamed))


def _pick(rng, names):
    names = sorted(names)
    return names[rng.integers(len(names))] if names else None


def _put(rng, array, values):
    """Puts values at some places of an array that has any."""
    if not array.size:
        return
    places = rng.integers(0, array.size, rng.integers(1, 4))
    array.reshape(-1)[places] = rng.choice(values, len(places))


def _not_finite(rng, arrays, request):
    del request
    name = _pick(rng, [n for n, a in arrays.items() if a.dtype.kind == "f"])
    if name is None:
        return None
    _put(rng, arrays[name], [np.nan, np.inf, -np.inf])
    return {name}


def _huge(rng, arrays, request):
    del request
    names = [n for n, a in arrays.items() if a.dtype.kind == "f"]
    name = _pick(rng, names)
    if name is None:
        return None
    _put(rng, arrays[name], np.array([3e38, -3e38, 1e20, 1e-45, -0.0], np.float32))
    return names


def _integers(rng, arrays, request):
    """Ids, gaps, types and residuals that are negative or huge."""
    del request
    name = _pick(rng, [n for n, a in arrays.items() if a.dtype == np.int64])
    if name is None:
        return None
    _put(rng, arrays[name], [LIMITS.min, LIMITS.max, -1, 2, 255, 256, 2**31, 2**32, 2**40])
    return {name}


def _masks(rng, arrays, request):
    del request
    name = _pick(rng, [n for n in arrays if n.endswith("_mask")])
    if name is None:
        return None
    arrays[name] = rng.random(arrays[name].shape) < rng.choice([0.0, 0.5, 1.0])
    return {"history_type", "history_residual"}


def _one_size(rng, arrays, request):
    """One input of another length, also none, in one dimension."""
    del request
    name = _pick(rng, arrays)
    array = arrays[name]
    axis = rng.integers(array.ndim)
    length = int(rng.choice([0, 1, array.shape[axis] + 1, 2 * array.shape[axis]]))
    arrays[name] = np.take(array, np.arange(length) % max(array.shape[axis], 1), axis)
    # Of a mask of another size, or of two vectors, any other may be blamed.
    return set(arrays) if name.endswith("_mask") or name.startswith("vector_") else {name}


def _all_sizes(rng, arrays, request):
    """R, C, L or N of another length, also none, in every input alike."""
    del request
    side = _pick(rng, SIDES)
    axis = int(rng.integers(2))
    length = int(rng.choice([0, 1, 3, 65]))
    for name, array in arrays.items():
        if array.ndim > axis and (axis == 0 or name.startswith(side)):
            arrays[name] = np.take(array, np.arange(length) % max(array.shape[axis], 1), axis)
    return set(arrays)


def _over_long(rng, arrays, request):
    del request
    side = _pick(rng, SIDES)
    length = int(rng.integers(200, 3000))
    for name, array in arrays.items():
        if name.startswith(side) and array.shape[1]:
            arrays[name] = np.take(array, np.arange(length) % array.shape[1], 1)
            if name == "history_time_gap":
                arrays[name] = -np.sort(-arrays[name], axis=1)
    return set()


def _rank(rng, arrays, request):
    del request
    name = _pick(rng, arrays)
    array = arrays[name]
    more = rng.random() < 0.5
    arrays[name] = array[..., None] if more or not array.size else array.reshape(-1)[0]
    if rng.random() < 0.3:
        arrays[name] = array.reshape(-1) if array.ndim > 1 else array[None]
    return {name}


def _dtype(rng, arrays, request):
    del request
    name = _pick(rng, arrays)
    array = arrays[name]
    if array.dtype.kind == "O":
        arrays[name] = np.zeros(array.shape, DTYPES[rng.integers(len(DTYPES))])
    elif rng.random() < 0.2:
        arrays[name] = np.full(array.shape, b"text", object)
    else:
        arrays[name] = array.astype(DTYPES[rng.integers(len(DTYPES))])
    return {name}


def _tags(rng, arrays, request):
    del request
    name = _pick(rng, [n for n in arrays if n.endswith("_tag")])
    if name is None:
        return None
    tag = [b"0" * 16, b"", b"\xff\xfe", b"tag", arrays["id_tag"][0]][rng.integers(5)]
    arrays[name][rng.integers(len(arrays[name])) :] = tag
    return {name}


def _bytes(rng, arrays, request):
    """Records that are cut, changed or made up."""
    del request
    if "examples" not in arrays:
        return None
    row = rng.integers(len(arrays["examples"]))
    data = bytearray(arrays["examples"][row])
    way = rng.integers(4)
    if way == 0:
        data = data[: rng.integers(len(data))]
    elif way == 1:
        for place in rng.integers(0, len(data), 5):
            data[place] = rng.integers(256)
    elif way == 2:
        data = rng.bytes(rng.integers(200))
    else:
        example = tf.train.Example.FromString(bytes(data))
        feature = example.features.feature
        name = _pick(rng, feature)
        if rng.random() < 0.5:
            del feature[name]
        elif feature[name].HasField("int64_list"):
            feature[name].int64_list.value.extend([-1, LIMITS.max])
        else:
            feature[name].float_list.value.append(float("nan"))
        data = example.SerializeToString()
    arrays["examples"][row] = bytes(data)
    return {"ANY"}


def _missing(rng, arrays, request):
    del request
    name = _pick(rng, arrays)
    del arrays[name]
    return {name}


def _extra(rng, arrays, request):
    del request
    arrays[("more", "candidate_item_ids", "", "naïve")[rng.integers(4)]] = np.zeros([1], np.float32)
    return {"Sent extra"}


def _proto(rng, arrays, request):
    """Tensors whose parts contradict each other."""
    name = _pick(rng, arrays)
    proto = tf.make_tensor_proto(arrays.pop(name))
    way = rng.integers(6)
    if way == 0:
        proto.tensor_content = proto.tensor_content[:-1] or b"x"
    elif way == 1:
        proto.tensor_shape.dim[0].size = int(rng.choice([2**20, 2**40, 2**62]))
    elif way == 2:
        proto.tensor_shape.dim[0].size = -1
    elif way == 3:
        proto.tensor_shape.unknown_rank = True
    elif way == 4:
        proto.dtype = int(rng.choice([0, 20, 21, 99, 101]))
    else:
        proto.ClearField("tensor_content")
        proto.float_val.extend([1.0] * 3)
    request.inputs[name].CopyFrom(proto)
    return {name} if not name.endswith("_mask") else {name, *arrays}


def _output_filter(rng, arrays, request):
    del arrays
    request.output_filter.extend([["nothing"], ["mask", "mask"], ["", "click"]][rng.integers(3)])
    return {"output tensor alias"}


def _names(rng, arrays, request):
    """A model, version, label or signature that there is not."""
    del arrays
    way = rng.integers(5)
    if way == 0:
        request.model_spec.name = "other"
    elif way == 1:
        request.model_spec.version.value = int(rng.choice([0, -1, 7, LIMITS.max]))
    elif way == 2:
        request.model_spec.version_label = "nowhere"
    elif way == 3:
        request.model_spec.signature_name = "score_everything"
    else:
        request.model_spec.name = ""
    return {"NAMES"}


SPOILED = {
    "all_sizes": _all_sizes,
    "bytes": _bytes,
    "dtype": _dtype,
    "extra": _extra,
    "huge": _huge,
    "integers": _integers,
    "masks": _masks,
    "missing": _missing,
    "names": _names,
    "not_finite": _not_finite,
    "one_size": _one_size,
    "output_filter": _output_filter,
    "over_long": _over_long,
    "proto": _proto,
    "rank": _rank,
    "tags": _tags,
}
