"""Joined records of random content, to measure how fast they are read and trained on."""

import os

import numpy as np

from features.embeddings import embedding_set, similarity
from features.embeddings.embedding_set import EmbeddingSet
from features.files import manifest
from features.ids import id_table
from features.records import columnar, tfrecord
from features.records.columnar import Slices
from features.schema import (
    CANDIDATE_ITEM_ID,
    HISTORY_ITEM_ID,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ExampleSchema,
    Modality,
    candidate_embedding_feature,
    similarity_feature,
)
from models.inputs.example_set import ExampleSet
from pipeline.publishing.shards import HashedFile, shard_name

_SHARDS = 4
_LARGEST_GAP = 10**7


def write(
    folder: str,
    requests: int,
    candidates: int,
    history_length: int,
    items: int,
    content_width: int = 128,
) -> ExampleSet:
    """Writes a train split and opens it.

    Args:
      folder: created; must not exist.
      requests: Q.
      candidates: C, of every request.
      history_length: L, of every request.
      items: N, drawn evenly: of all distributions the one whose batches hold most rows of a
        table.
      content_width: M, of each modality.
    """
    schema = ExampleSchema(
        labels=("click",),
        modalities=tuple(Modality(name, content_width) for name in ("text", "image")),
        history_length=history_length,
        behavior_types=2,
    )
    records = columnar.encode_requests(schema, _features(schema, requests, candidates, items))
    os.makedirs(os.path.join(folder, "vocabulary"))
    shards = {}
    for shard in range(_SHARDS):
        own = records[shard::_SHARDS]
        name = shard_name("train", shard, _SHARDS)
        with HashedFile(os.path.join(folder, name)) as file:
            for record in own:
                file.write(tfrecord.frame(record))
        shards[name] = {"split": "train", "records": len(own), "sha256": file.sha256}
    id_table.write_vocabulary(
        os.path.join(folder, "vocabulary", "item_id.txt"), np.arange(1, items + 1)
    )
    split = {
        "shards": list(shards),
        "records": requests,
        "candidates": requests * candidates,
        "candidates_per_record": {str(candidates): requests},
    }
    manifest.write_manifest(
        folder, {"schema": schema.to_dict(), "shards": shards, "splits": {"train": split}}
    )
    return ExampleSet.open(folder)


def _features(schema: ExampleSchema, count: int, c: int, items: int) -> dict[str, Slices]:
    """Draws Q requests of C candidates and returns what the records hold of them."""
    rng = np.random.default_rng(0)
    b = schema.history_length
    shown = rng.integers(1, items + 1, (count, c))
    seen = rng.integers(1, items + 1, (count, b))
    gaps = -np.sort(-rng.integers(1, _LARGEST_GAP, (count, b)))
    types = rng.integers(0, schema.behavior_types, (count, b))
    clicks = rng.integers(0, 2, (count, c)).astype(np.float32)
    request = np.arange(count)
    features = {
        "user_id": request,
        "request_id": request,
        "timestamp": request * 10**6,
        HISTORY_ITEM_ID: seen,
        HISTORY_TIME_GAP: gaps,
        HISTORY_TYPE: types,
        CANDIDATE_ITEM_ID: shown,
        "click": clicks,
    }
    for modality in schema.modalities:
        vectors = rng.standard_normal((items, modality.dimension), np.float32)
        content = embedding_set.from_vectors(np.arange(1, items + 1), vectors)
        codes = [_codes(content, *pair) for pair in zip(shown, seen, strict=True)]
        features[similarity_feature(modality.name)] = np.reshape(codes, [count, c * b])
        rows = content.quantized[content.rows(shown.reshape(-1))].reshape(count, -1)
        features[candidate_embedding_feature(modality.name)] = rows
    return {name: Slices.one_each(values) for name, values in features.items()}


def _codes(content: EmbeddingSet, shown: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Returns `[C, L]` uint8 codes of one request."""
    a, b = content.rows(shown), content.rows(seen)
    return similarity.codes(
        content.quantized[a], content.norms[a], content.quantized[b], content.norms[b]
    )
