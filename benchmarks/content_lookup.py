"""Embedding sets inside a SavedModel: finding items in them, and what they weigh.

    python -m benchmarks.content_lookup --output benchmarks/results/content_lookup.json

1. `lookup`: the ways of `content_indexes` from ids to quantized vectors and norms, for
   the candidates and behaviors of one request and two modalities; beside it what an index alone
   adds to a SavedModel, a byte an item, and how long that takes to load.
2. `models`: a DMF with its embedding sets inside and one with vectors in the request, of several
   catalog sizes: bytes of SavedModel and request, and the latency of `score_request`.

Calls take turns, so ratios hold across machines, milliseconds do not.
"""

import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags, logging
from tensorflow_serving.apis import predict_pb2

from benchmarks.model_alternatives.content_indexes import WAYS, ItemIndex
from features.embeddings import embedding_set
from features.embeddings.embedding_set import EmbeddingSet
from features.schema import ExampleSchema, Modality
from models import factory
from models.model_config import ModelConfig
from pipeline.end_to_end import latency
from pipeline.runtime import entry_point, environment
from serving_signatures import names
from serving_signatures.export import sample_requests
from serving_signatures.signatures import ServingSignatures
from serving_signatures.versions.loaded_version import inputs_of

_FLAGS = flags.FLAGS
_MODALITIES = ("text", "image")
_REQUESTS = 32  # In turn, so that the processor's caches do not know the ids.
_LOADS = 3
_BASE = "binary_search"


def define_flags() -> None:
    """Defines the benchmark's flags."""
    flags.DEFINE_integer("candidates", 1200, "C.")
    flags.DEFINE_integer("behaviors", 200, "L.")
    flags.DEFINE_integer("width", 128, "M, of each of two modalities.")
    flags.DEFINE_list("items", ["10000", "100000", "1000000"], "N, of the look-up.")
    flags.DEFINE_list("catalogs", ["100000", "1000000"], "N, of the models.")
    flags.DEFINE_integer("repeats", 200, "Timed calls a way.")
    flags.DEFINE_string("output", None, "JSON file.")


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(arguments: Sequence[str]) -> None:
    del arguments
    lookup = [row for items in _FLAGS.items for row in _lookup_rows(int(items))]
    for row in lookup:
        print(
            f"{row['items']:>9,} {row['way']:<18} p50 {row['p50_ms']:6.2f} ms   "
            f"{row['speed_up']:5.2f} x   index {row['index_bytes_an_item']:5.1f} bytes an item, "
            f"loads in {row['index_load_ms']:6.0f} ms"
        )
    models = [_model_row(int(items)) for items in _FLAGS.catalogs]
    for row in models:
        print(json.dumps(row, indent=2))
    if _FLAGS.output is None:
        return
    values = {
        "command": environment.command("benchmarks.content_lookup"),
        "environment": environment.versions(),
        "candidates": _FLAGS.candidates,
        "behaviors": _FLAGS.behaviors,
        "width": _FLAGS.width,
        "repeats": _FLAGS.repeats,
        "lookup": lookup,
        "models": models,
    }
    with open(_FLAGS.output, "w") as file:
        file.write(json.dumps(values, indent=2, sort_keys=True) + "\n")


def item_ids(count: int) -> np.ndarray:
    """Returns ids as fingerprints of strings are, `[count]` int64, ascending."""
    rng = np.random.default_rng(count)
    return np.unique(rng.integers(-(2**63), 2**63, count))


def _lookup_rows(items: int) -> list[dict[str, Any]]:
    """Times every way, and weighs its index."""
    ids = item_ids(items)
    rng = np.random.default_rng(0)
    sizes = (_FLAGS.candidates, _FLAGS.behaviors)
    requests = [[tf.constant(_drawn(rng, ids, count)) for count in sizes] for _ in range(_REQUESTS)]
    vectors = [_embedding_set(ids, number) for number in range(len(_MODALITIES))]
    content = [(tf.Variable(one.quantized), tf.Variable(one.norms)) for one in vectors]
    del vectors
    calls = {}
    for way, kind in WAYS.items():
        indexes = [kind(ids) for _ in content]
        for index in indexes:
            for sought in requests[0]:
                _check_found(way, index, sought)
        calls[way] = _whole_lookup(indexes, content, requests)
    times = latency.measure(calls, _FLAGS.repeats)
    weights = {way: _index_weight(kind(ids)) for way, kind in WAYS.items()}
    return [
        {
            "way": way,
            "items": items,
            "p50_ms": times[way]["p50_ms"],
            "p99_ms": times[way]["p99_ms"],
            "speed_up": times[_BASE]["p50_ms"] / times[way]["p50_ms"],
            **weights[way],
        }
        for way in WAYS
    ]


def _drawn(rng: np.random.Generator, ids: np.ndarray, count: int) -> np.ndarray:
    """Draws a request's ids `[1, count]`; one in twenty is unknown."""
    known = rng.choice(ids, (1, count))
    return np.where(rng.random((1, count)) < 0.05, rng.integers(-(2**62), 2**62, count), known)


def _embedding_set(ids: np.ndarray, seed: int) -> EmbeddingSet:
    rng = np.random.default_rng(seed)
    quantized = rng.integers(-127, 128, (len(ids), _FLAGS.width), np.int8)
    quantized[:, 0] = 127  # As in every quantized vector; so it quantizes to itself.
    norms = np.sqrt(np.sum(np.square(quantized, dtype=np.int32), axis=1)).astype(np.float32)
    always = np.full(len(ids), np.iinfo(np.int64).min)
    return embedding_set.from_quantized(ids, quantized, norms, always)


def _check_found(way: str, index: ItemIndex, sought: tf.Tensor) -> None:
    found = np.append(index.ids, 0)[index.rows(sought)]
    expected = np.where(np.isin(sought, index.ids), sought, 0)
    if not np.array_equal(found, expected):
        raise RuntimeError(f"{way} does not find what is there.")


def _whole_lookup(
    indexes: Sequence[ItemIndex],
    content: Sequence[tuple[tf.Variable, tf.Variable]],
    requests: Sequence[Sequence[tf.Tensor]],
) -> Callable[[], object]:
    """Returns a call from all ids of the next request to all their vectors and norms."""
    following = itertools.cycle(requests)

    @tf.function(autograph=False)
    def lookup(*sought: tf.Tensor) -> list[tf.Tensor]:
        found = []
        for index, (quantized, norms) in zip(indexes, content, strict=True):
            for ids in sought:
                rows = index.rows(ids)
                found += [tf.gather(quantized, rows), tf.gather(norms, rows)]
        return found

    return lambda: [one.numpy() for one in lookup(*next(following))]


def _index_weight(index: ItemIndex) -> dict[str, float]:
    """Saves an index alone; returns its size and how long it takes to load."""
    find = tf.function(index.rows, autograph=False)
    concrete = find.get_concrete_function(tf.TensorSpec([None, None], tf.int64))
    with tempfile.TemporaryDirectory() as folder:
        _save(index, folder, {names.SERVING_DEFAULT: concrete})
        loads = []
        for _ in range(_LOADS):
            started = time.perf_counter()
            tf.saved_model.load(folder)
            loads.append(time.perf_counter() - started)
        return {
            "index_bytes_an_item": folder_bytes(folder) / len(index.ids),
            "index_load_ms": 1e3 * statistics.median(loads),
        }


def _model_row(items: int) -> dict[str, Any]:
    """Compares a model with its embedding sets inside with one that is sent vectors."""
    ids = item_ids(items)
    schema = ExampleSchema(
        labels=("click",),
        modalities=tuple(Modality(name, _FLAGS.width) for name in _MODALITIES),
        history_length=_FLAGS.behaviors,
    )
    sets = {name: _embedding_set(ids, number) for number, name in enumerate(_MODALITIES)}
    shape = (1, _FLAGS.candidates, _FLAGS.behaviors)
    requests = sample_requests.sample_requests(schema, ids, sets, shape, seed=0)
    model = factory.build_model(ModelConfig(), schema, ids)
    variants: dict[str, dict[str, Any]] = {}
    calls, kept = {}, []
    with tempfile.TemporaryDirectory() as parent:
        for variant, embeddings in (("ids", sets), ("vectors", None)):
            folder = os.path.join(parent, variant)
            signatures = ServingSignatures(model, embeddings)
            _save(signatures.module(), folder, signatures.functions)
            del signatures
            started = time.perf_counter()
            kept.append(tf.saved_model.load(folder))
            inputs = inputs_of(kept[-1].signatures[names.SCORE_REQUEST], requests)
            variants[variant] = {
                "saved_model_bytes": folder_bytes(folder),
                "request_bytes": request_bytes(inputs),
                "load_s": time.perf_counter() - started,
            }
            calls[variant] = _scoring(kept[-1].signatures[names.SCORE_REQUEST], inputs)
        for variant, times in latency.measure(calls, _FLAGS.repeats).items():
            variants[variant] |= {"p50_ms": times["p50_ms"], "p99_ms": times["p99_ms"]}
    difference = np.max(np.abs(calls["ids"]() - calls["vectors"]()))
    if difference > 1e-6:
        raise RuntimeError(f"The variants' scores differ by {difference}.")
    inside, sent = variants["ids"], variants["vectors"]
    return {
        "items": items,
        "variants": variants,
        "table_bytes_an_item": (inside["saved_model_bytes"] - sent["saved_model_bytes"]) / items,
        "latency_ratio": inside["p50_ms"] / sent["p50_ms"],
        "request_ratio": sent["request_bytes"] / inside["request_bytes"],
    }


def _scoring(
    function: Callable[..., dict[str, tf.Tensor]], inputs: Mapping[str, np.ndarray]
) -> Callable[[], np.ndarray]:
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    return lambda: function(**tensors)["click"].numpy()


def request_bytes(inputs: Mapping[str, np.ndarray]) -> int:
    """Returns the size of a PredictRequest with these inputs."""
    request = predict_pb2.PredictRequest()
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request.ByteSize()


def folder_bytes(folder: str) -> int:
    """Returns the size of all files below a folder."""
    return sum(
        os.path.getsize(os.path.join(parent, name))
        for parent, _, files in os.walk(folder)
        for name in files
    )


def _save(module: tf.Module, folder: str, functions: Mapping[str, Any]) -> None:
    """Saves without TensorFlow's remarks."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        tf.saved_model.save(module, folder, functions)
    finally:
        logging.set_verbosity(verbosity)


if __name__ == "__main__":
    main()
