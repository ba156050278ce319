"""Writes a SavedModel, verifies it in a fresh process, and publishes it by rename."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from features import manifest
from features.embedding_set import EmbeddingSet
from models.ranking_model import RankingModel
from serving_signatures import names, parity_process, warmup
from serving_signatures.sample_requests import SampleRequests, sample_requests
from serving_signatures.signatures import ServingSignatures

PARITY_SHAPES = ((1, 1, 0), (1, 1200, 50), (3, 7, 50), (2, 1, 1))
"""R, C, L of the random requests that every signature is compared on."""

PARITY_TOLERANCE = 1e-5
"""Largest absolute difference of a probability from `serving_default`'s."""

_WARMUP_CANDIDATES = 16
_PARITY_SEED = 20251011


class ExportRefusedError(RuntimeError):
    """The SavedModel failed a check and was not published."""


@dataclasses.dataclass(frozen=True)
class Exported:
    """A published version.

    Attributes:
      folder: `<export_dir>/<version>`.
      signatures: names of its signatures.
      tags: cache tag by name, for a model with split signatures.
      parity: what the verification measured.
    """

    folder: str
    signatures: tuple[str, ...]
    tags: Mapping[str, str]
    parity: Mapping[str, Any]


def export_saved_model(
    model: RankingModel,
    export_dir: str,
    embeddings: Mapping[str, EmbeddingSet] | None = None,
    batch_sizes: Sequence[int] = (1, 2, 4, 8),
    real_cases: Sequence[SampleRequests] = (),
) -> Exported:
    """Exports a model as the next version.

    Args:
      model: a trained model.
      export_dir: the model's folder in TF Serving's sense, local; versions are numbers in it.
      embeddings: embedding set by modality to keep inside the model, or None for vectors in
        the request.
      batch_sizes: allowed batch sizes R, as in TF Serving's batching parameters; each gets
        warm-up records.
      real_cases: held-out requests to verify besides the random ones.

    Raises:
      ExportRefusedError: a check failed; nothing was published.
    """
    signatures = ServingSignatures(model, embeddings)
    export_dir = os.path.abspath(export_dir)
    building = os.path.join(export_dir, f".building-{uuid.uuid4().hex}")
    os.makedirs(building)
    try:
        _save(signatures, building)
        items = _items(model, embeddings or {})
        samples = [
            sample_requests(model.schema, items, embeddings or {}, shape, _PARITY_SEED + index)
            for index, shape in enumerate(PARITY_SHAPES)
        ]
        parity = _verify(building, [*samples, *real_cases], not signatures.vectors_in_request)
        _write_extras(building, signatures, embeddings or {}, batch_sizes, items, parity)
        folder = _publish(building, export_dir)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Exported(folder, tuple(parity["signatures"]), signatures.tags, parity)


def _save(signatures: ServingSignatures, folder: str) -> None:
    """Saves without TensorFlow's remarks about names that it replaces and gradients it drops."""
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        tf.saved_model.save(signatures.module(), folder, signatures.functions, options)
    finally:
        logging.set_verbosity(verbosity)


def _items(model: RankingModel, embeddings: Mapping[str, EmbeddingSet]) -> np.ndarray:
    """Returns item ids to draw requests from: the vocabulary's and those with content."""
    known = [embedding_set.item_ids for embedding_set in embeddings.values()]
    vocabulary = model.item_embedding.vocabulary
    known.append(np.arange(1000) if vocabulary is None else vocabulary)
    return np.unique(np.concatenate(known))


def _verify(
    saved_model: str, samples: Sequence[SampleRequests], tables_inside: bool
) -> dict[str, Any]:
    """Runs `parity_process` and raises unless everything holds."""
    with tempfile.TemporaryDirectory() as folder:
        for index, sample in enumerate(samples):
            _write_case(folder, index, sample, tables_inside)
        result = subprocess.run(
            [sys.executable, parity_process.__file__, saved_model, folder],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
    if result.returncode:
        raise ExportRefusedError(
            "The SavedModel does not load or run in a fresh process, so it was not published:\n"
            + result.stderr[-4000:]
        )
    parity = json.loads(result.stdout.splitlines()[-1])
    failures = []
    if not parity["max_abs_diff"] <= PARITY_TOLERANCE:
        failures.append(
            f"signatures differ from {names.SERVING_DEFAULT} by more than {PARITY_TOLERANCE}: "
            f"{parity['differences']}"
        )
    if parity["foreign_ops"]:
        failures.append(f"ops that stock TensorFlow does not have: {parity['foreign_ops']}")
    if not parity["wrong_tags_refused"]:
        failures.append(f"{names.SCORE_CACHED} accepted a tag of another model")
    if failures:
        raise ExportRefusedError(f"The SavedModel was not published: {'; '.join(failures)}.")
    return parity


def _write_case(folder: str, index: int, sample: SampleRequests, tables_inside: bool) -> None:
    inputs = sample.score_request(tables_inside)
    shape = (*inputs["candidate_mask"].shape, inputs["history_mask"].shape[1])
    np.savez(
        os.path.join(folder, f"{index:03d}-" + "x".join(map(str, shape)) + ".npz"),
        examples_bytes=np.frombuffer(b"".join(sample.examples), np.uint8),
        examples_length=np.array([len(record) for record in sample.examples]),
        **inputs,
    )


def _write_extras(
    saved_model: str,
    signatures: ServingSignatures,
    embeddings: Mapping[str, EmbeddingSet],
    batch_sizes: Sequence[int],
    items: np.ndarray,
    parity: Mapping[str, Any],
) -> None:
    """Writes warm-up records and the manifest into `assets.extra`."""
    schema = signatures.schema
    requests: list[tuple[str, dict[str, np.ndarray]]] = []
    for size in batch_sizes:
        shape = (size, _WARMUP_CANDIDATES, schema.history_length)
        sample = sample_requests(schema, items, embeddings, shape, _PARITY_SEED)
        inputs = sample.score_request(not signatures.vectors_in_request)
        examples = np.array(sample.examples, object)
        requests.append((names.SERVING_DEFAULT, {names.EXAMPLES: examples}))
        requests.append((names.SCORE_REQUEST, inputs))
        if names.SCORE_CACHED in signatures.functions:
            cached = parity_process.cached_inputs(signatures.functions, inputs)
            requests.append((names.SCORE_CACHED, cached))
            for name, arrays in parity_process.projection_inputs(inputs, "candidate").items():
                requests.append((name, {key: value[:size] for key, value in arrays.items()}))
    model_name = os.path.basename(os.path.dirname(saved_model))
    warmup.write_warmup(saved_model, model_name, requests)
    manifest.write_manifest(
        os.path.join(saved_model, "assets.extra"),
        {
            "schema": schema.to_dict(),
            "label": signatures.model.label,
            "conversion_label": signatures.model.config.conversion_label,
            "tags": signatures.tags,
            "embeddings": {name: values.fingerprint for name, values in embeddings.items()},
            "parity": dict(parity),
            "tensorflow": tf.__version__,
        },
    )


def _publish(building: str, export_dir: str) -> str:
    """Renames to the next free version; a concurrent exporter takes another number."""
    while True:
        versions = [int(name) for name in os.listdir(export_dir) if name.isdigit()]
        folder = os.path.join(export_dir, str(max(versions, default=0) + 1))
        try:
            os.rename(building, folder)
        except OSError:
            if not os.path.isdir(folder):
                raise
            continue
        return folder
