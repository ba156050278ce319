"""Writes a SavedModel, verifies it in a fresh process, and publishes it by rename."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from features.embeddings.embedding_set import EmbeddingSet
from features.records import decoded_example, requests
from features.records.requests import Arrays
from features.schema import CANDIDATE_MASK, HISTORY_MASK
from kernels import library
from models.ranking_model import RankingModel
from serving_signatures import call_size, names
from serving_signatures.export import (
    batching_parameters,
    parity_process,
    served_requests,
    warmup,
    warmup_calls,
)
from serving_signatures.export.sample_requests import encode_batch, sample_requests
from serving_signatures.export.served_requests import ServedRequests
from serving_signatures.export.warmup_calls import WarmupCalls
from serving_signatures.signatures import ServingSignatures
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.exported_version import list_files
from serving_signatures.versions.loaded_version import inputs_of

PARITY_SHAPES = ((1, 1, 0), (1, 1200, 50), (3, 7, 50), (2, 1, 1))
"""R, C, L of the random requests that every signature is compared on."""

PARITY_TOLERANCE = 1e-5
"""Largest absolute difference of a probability from `serving_default`'s."""

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
      caches: one line per tag: whether the cache of the version before stays valid, and why.
    """

    folder: str
    signatures: tuple[str, ...]
    tags: Mapping[str, str]
    parity: Mapping[str, Any]
    caches: tuple[str, ...] = ()


def export_saved_model(
    model: RankingModel,
    export_dir: str,
    embeddings: Mapping[str, EmbeddingSet] | None = None,
    batch_sizes: Sequence[int] = warmup.BATCH_SIZES,
    held_out: Sequence[bytes] = (),
    max_pairs: int = call_size.DEFAULT_MAX_PAIRS,
    origin: Mapping[str, str] | None = None,
    warmup_requests: Sequence[str] = (),
    kernels: bool = False,
) -> Exported:
    """Exports a model as the next version.

    Args:
      model: a trained model.
      export_dir: the model's folder in TF Serving's sense, local; versions are numbers in it.
      embeddings: embedding set by modality to keep inside the model, or None for vectors in
        the request.
      batch_sizes: allowed batch sizes R, written as TF Serving's batching parameters; each gets
        warm-up records.
      held_out: serialized Examples of a join, to verify besides the random requests: by their
        ids they must score as they do with the similarity codes of the join.
      max_pairs: the largest call that the version answers, see `call_size`.
      origin: further values of the manifest, which say what the version was made from.
      warmup_requests: files, globs or folders of a request log, whose usual sizes and slowest are
        warmed up; empty for a size that is made up.
      kernels: compute by native kernels, which servers then need; the scores are compared with
        those of stock ops.

    Raises:
      UserInputError: `max_pairs` is less than what is called here, the log has no request that
        the version could answer, or the kernels were not built.
      ExportRefusedError: a check failed; nothing was published.
    """
    signatures = ServingSignatures(model, embeddings, max_pairs, kernels)
    stock = ServingSignatures(model, embeddings, max_pairs) if kernels else None
    behaviors = signatures.schema.history_length
    warm = [(size, warmup_calls.CANDIDATES_UNASKED, behaviors) for size in batch_sizes]
    for shape in (*PARITY_SHAPES, *warm):
        signatures.bound.check(*shape)
    served = None
    if warmup_requests:
        served = served_requests.read(warmup_requests, signatures, max(batch_sizes))
    embeddings = embeddings or {}
    items = _items(model, embeddings)
    folder = ExportFolder(export_dir)
    with folder.workspace() as workspace:
        saved_model = os.path.join(workspace, "saved_model")
        _save(signatures, saved_model)
        warm_up = WarmupCalls(signatures, embeddings, items, batch_sizes)
        calls, sizes = warm_up.calls(served)
        warmup.write_warmup(saved_model, folder.name, calls)
        batching_parameters.write_parameters(saved_model, batch_sizes)
        batches = [
            sample_requests(signatures.schema, items, embeddings, shape, _PARITY_SEED + index)
            for index, shape in enumerate(PARITY_SHAPES)
        ]
        records = [encode_batch(signatures.schema, batch) for batch in batches]
        if held_out:
            decoded = [decoded_example.decode_request(signatures.schema, one) for one in held_out]
            batches.append(requests.pad(decoded))
            signatures.bound.check(*_shape(batches[-1]))
            records.append(list(held_out))
        cases = os.path.join(workspace, "cases")
        os.mkdir(cases)
        score_request = signatures.functions[names.SCORE_REQUEST]
        for index, (batch, examples) in enumerate(zip(batches, records, strict=True)):
            _write_case(cases, index, examples, inputs_of(score_request, batch))
        if stock is not None:
            _compare(signatures, stock, records)
        files = list_files(saved_model)
        parity = _verify(saved_model, cases, batch_sizes, kernels)
        values = {**(origin or {}), **_manifest_values(signatures, embeddings, parity)}
        if served is not None:
            values["warmup"] = _described(served, sizes)
        version = folder.publish(saved_model, values, files)
    caches = tuple(one["reason"] for one in version.manifest["caches"].values())
    for line in caches:
        logging.info("Version %d: %s", version.number, line)
    return Exported(version.folder, tuple(parity["signatures"]), signatures.tags, parity, caches)


def _save(signatures: ServingSignatures, folder: str) -> None:
    """Saves; TensorFlow's warnings about replaced names and dropped gradients are not shown."""
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        tf.saved_model.save(signatures.module(), folder, signatures.functions, options)
    finally:
        logging.set_verbosity(verbosity)


def _compare(
    signatures: ServingSignatures, stock: ServingSignatures, records: Sequence[Sequence[bytes]]
) -> None:
    """Raises `ExportRefusedError` unless kernels score records as stock ops do."""
    for one in records:
        sent = tf.constant(np.array(one, object))
        found, expected = (
            each.functions[names.SERVING_DEFAULT](**{names.EXAMPLES: sent})
            for each in (signatures, stock)
        )
        for label in expected.keys() - {names.MASK}:
            difference = float(tf.reduce_max(tf.abs(found[label] - expected[label])))
            if not difference <= PARITY_TOLERANCE:
                raise ExportRefusedError(
                    f"The SavedModel was not published: native kernels score {label} up to "
                    f"{difference} from stock ops, more than {PARITY_TOLERANCE}."
                )


def _items(model: RankingModel, embeddings: Mapping[str, EmbeddingSet]) -> np.ndarray:
    """Returns item ids to draw requests from: the vocabulary's and those with content."""
    known = [embedding_set.item_ids for embedding_set in embeddings.values()]
    vocabulary = model.item_embedding.vocabulary
    known.append(np.arange(1000) if vocabulary is None else vocabulary)
    return np.unique(np.concatenate(known))


def _verify(
    saved_model: str, cases: str, batch_sizes: Sequence[int], kernels: bool
) -> dict[str, Any]:
    """Runs `parity_process` and raises unless everything holds."""
    further = [library.path()] if kernels else []
    result = subprocess.run(
        [sys.executable, parity_process.__file__, saved_model, cases, *further],
        capture_output=True,
        text=True,
        cwd=cases,
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
    known = set(library.OPS) if kernels else set()
    if unknown := sorted(set(parity["foreign_ops"]) - known):
        failures.append(f"ops that stock TensorFlow does not have: {unknown}")
    if not parity["wrong_tags_refused"]:
        failures.append(f"{names.SCORE_CACHED} accepted a tag of another model")
    warm = {name: sorted(set(sizes)) for name, sizes in parity["warmup"].items()}
    if warm != {name: sorted(batch_sizes) for name in parity["signatures"]}:
        failures.append(f"warm-up does not cover sizes {sorted(batch_sizes)}: {parity['warmup']}")
    if failures:
        raise ExportRefusedError(f"The SavedModel was not published: {'; '.join(failures)}.")
    return parity


def _write_case(folder: str, index: int, records: Sequence[bytes], inputs: Arrays) -> None:
    np.savez(
        os.path.join(folder, f"{index:03d}-" + "x".join(map(str, _shape(inputs))) + ".npz"),
        examples_bytes=np.frombuffer(b"".join(records), np.uint8),
        examples_length=np.array([len(record) for record in records]),
        **inputs,
    )


def _shape(batch: Arrays) -> tuple[int, int, int]:
    """Returns R, C, L."""
    requests, candidates = batch[CANDIDATE_MASK].shape
    return requests, candidates, batch[HISTORY_MASK].shape[1]


def _described(served: ServedRequests, sizes: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns JSON values of what the warm-up records were made from, and logs them."""
    for one in sizes:
        logging.info(
            "Warm-up: %(candidates)d candidates and %(behaviors)d behaviors, batches of "
            "%(batch_sizes)s: %(why)s",
            one,
        )
    if served.left_out:
        logging.info("Warm-up: entries of the log that were left out: %s", dict(served.left_out))
    return {"requests": served.requests, "left_out": dict(served.left_out), "sizes": sizes}


def _manifest_values(
    signatures: ServingSignatures,
    embeddings: Mapping[str, EmbeddingSet],
    parity: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the manifest's values that describe the model."""
    sampled = signatures.model.schema.downsampling
    return {
        "schema": signatures.schema.to_dict(),
        **({} if sampled is None else {"downsampling": dataclasses.asdict(sampled)}),
        "label": signatures.model.label,
        "conversion_label": signatures.model.config.conversion_label,
        "tags": signatures.tags,
        "max_pairs": signatures.bound.max_pairs,
        "embeddings": {name: values.fingerprint for name, values in embeddings.items()},
        "parity": dict(parity),
        "tensorflow": tf.__version__,
    }
