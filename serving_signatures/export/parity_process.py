"""Verifies a SavedModel in a process of its own.

    python parity_process.py SAVED_MODEL CASES [LIBRARY_OF_OPS]

It imports nothing of this project, so what passes here loads wherever TensorFlow does; that is
why it spells the names of inputs and outputs itself. Every case is scored by `serving_default`,
the oracle, by `score_request`, and by `score_cached` with caches that the projection signatures
fill. A signature that nothing here compares is an error. The last line printed is JSON.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry
from tensorflow_serving.apis import prediction_log_pb2

COMPARED = {
    "serving_default",
    "score_request",
    "score_cached",
    "id_projections",
    "target_aware_projections",
}


def load_case(path: str) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """Reads a case: serialized Examples, and the inputs of `score_request`."""
    with np.load(path) as arrays:
        inputs = dict(arrays)
    ends = np.cumsum(inputs.pop("examples_length"))
    data = inputs.pop("examples_bytes").tobytes()
    starts = np.concatenate([[0], ends[:-1]])
    return [data[start:end] for start, end in zip(starts, ends, strict=True)], inputs


def call(signature: Callable, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Calls a signature with arrays."""
    outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def projection_inputs(
    inputs: dict[str, np.ndarray], prefix: str
) -> dict[str, dict[str, np.ndarray]]:
    """Returns the inputs of both projection signatures for the items of `<prefix>item_id`."""
    ids = {"item_ids": inputs[f"{prefix}item_id"].reshape(-1)}
    # Of behaviors, which have no side features: an item's column may be called vector_image.
    sent = [name.removeprefix("history_") for name in inputs if name.startswith("history_vector_")]
    vectors = {
        name: (value := inputs[f"{prefix}{name}"]).reshape(-1, value.shape[-1]) for name in sent
    }
    return {"id_projections": ids, "target_aware_projections": vectors or ids}


def cached_inputs(signatures: dict, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fills both caches with a case's items and returns the inputs of `score_cached`."""
    wanted = signatures["score_cached"].structured_input_signature[1]
    cached = {name: value for name, value in inputs.items() if name in wanted}
    for prefix in ("candidate_", "history_"):
        shape = inputs[f"{prefix}item_id"].shape
        projections: dict[str, np.ndarray] = {}
        for signature, items in projection_inputs(inputs, prefix).items():
            projections |= call(signatures[signature], items)
        for name, value in projections.items():
            if f"{prefix}{name}" in wanted:
                cached[f"{prefix}{name}"] = value.reshape(*shape, *value.shape[1:])
            elif name.endswith("_tag") and name not in cached:
                cached[name] = np.repeat(value[:1], shape[0])
    return cached


def refuses_other_tags(signature: Callable, inputs: dict[str, np.ndarray]) -> bool:
    """Whether every tag, changed, is refused with both values in the message."""
    for tag in ("id_tag", "target_aware_tag"):
        wrong = {**inputs, tag: np.array([b"0" * 16] * len(inputs[tag]))}
        try:
            call(signature, wrong)
        except tf.errors.InvalidArgumentError as error:
            if inputs[tag][0].decode() in str(error) and "0" * 16 in str(error):
                continue
        return False
    return True


def foreign_ops(saved_model: str) -> list[str]:
    """Returns the ops of the graph that are Python or not in the registry."""
    proto = saved_model_pb2.SavedModel()
    with open(os.path.join(saved_model, "saved_model.pb"), "rb") as file:
        proto.ParseFromString(file.read())
    ops: set[str] = set()
    own: set[str] = set()
    for graph in (meta.graph_def for meta in proto.meta_graphs):
        ops.update(node.op for node in graph.node)
        for function in graph.library.function:
            own.add(function.signature.name)
            ops.update(node.op for node in function.node_def)
    python = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
    registered = {op for op in ops if op_def_registry.get(op) is not None}
    return sorted((ops - own - registered) | (ops & python))


def replay_warmup(saved_model: str, signatures: dict) -> dict[str, list[int]]:
    """Calls every warm-up record, as TF Serving does, and returns their sizes by signature."""
    path = os.path.join(saved_model, "assets.extra", "tf_serving_warmup_requests")
    sizes: dict[str, list[int]] = {}
    for record in tf.data.TFRecordDataset(path):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        outputs = call(signatures[request.model_spec.signature_name], inputs)
        (size,) = {len(value) for value in (*inputs.values(), *outputs.values())}
        sizes.setdefault(request.model_spec.signature_name, []).append(size)
    return {name: sorted(found) for name, found in sizes.items()}


def check_compared(signatures: Iterable[str]) -> None:
    """Raises `ValueError` for a signature that `verify` does not compare."""
    if unknown := sorted(set(signatures) - COMPARED):
        raise ValueError(
            f"No check compares {unknown} with serving_default, expected {sorted(COMPARED)}. "
            "Extend verify in serving_signatures/export/parity_process.py."
        )


def verify(saved_model: str, cases: str, library: str | None = None) -> dict[str, object]:
    """Compares every scoring signature on every case; projections by way of `score_cached`.

    Args:
      saved_model: its folder.
      cases: folder of what to score.
      library: of further ops, loaded once the ops were compared with TensorFlow's own.
    """
    foreign = foreign_ops(saved_model)
    if library is not None:
        tf.load_op_library(library)
    signatures = dict(tf.saved_model.load(saved_model).signatures.items())
    check_compared(signatures)
    differences: dict[str, float] = {}
    refused = True
    for name in sorted(os.listdir(cases)):
        examples, inputs = load_case(os.path.join(cases, name))
        expected = call(signatures["serving_default"], {"examples": np.array(examples, object)})
        received = {"score_request": call(signatures["score_request"], inputs)}
        if "score_cached" in signatures:
            cached = cached_inputs(signatures, inputs)
            received["score_cached"] = call(signatures["score_cached"], cached)
            refused &= refuses_other_tags(signatures["score_cached"], cached)
        for signature, outputs in received.items():
            for output, value in expected.items():
                difference = np.abs(value.astype(np.float64) - outputs[output])
                key = f"{signature}/{name.removesuffix('.npz')}"
                largest = max(differences.get(key, 0.0), float(np.max(difference, initial=0)))
                differences[key] = largest if np.isfinite(difference).all() else float("inf")
    return {
        "differences": differences,
        "max_abs_diff": max(differences.values()),
        "wrong_tags_refused": refused,
        "warmup": replay_warmup(saved_model, signatures),
        "foreign_ops": foreign,
        "signatures": sorted(signatures),
    }


if __name__ == "__main__":
    print(json.dumps(verify(*sys.argv[1:])))
