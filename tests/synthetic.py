"""A small example set as the join writes it, with a signal that a model can learn.

Every item has a hidden direction, which its embeddings show with noise. Every user has a direction
too, likes items near it, and has mostly such behaviors: users like candidates that are similar to
their behaviors. All users like some items. Some items have no embedding; requests have 1 to 20
candidates and 0 to L behaviors.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from features.embeddings import embedding_set, similarity
from features.embeddings.embedding_set import EmbeddingSet
from features.files import checked, manifest
from features.ids import id_table
from features.records import example
from features.records.requests import RankingRequest
from features.schema import (
    CANDIDATE_SAMPLE_WEIGHT,
    HISTORY_RESIDUAL,
    ExampleSchema,
    Modality,
    SideFeature,
    candidate_embedding_feature,
    candidate_feature,
    context_feature,
    similarity_feature,
)
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel

ITEMS = 60
HIDDEN = 6
CANDIDATES = (1, 2, 3, 4, 7, 20)
"""Numbers of candidates that a request may have."""
SPLITS = {"train": 400, "validation": 120, "test": 120}

SCHEMA = ExampleSchema(
    labels=("click", "conversion"),
    modalities=(Modality("text", 12), Modality("image", 9)),
    history_length=8,
    behavior_types=2,
    item_features=(SideFeature("genres", "categorical", 3), SideFeature("price", "numeric")),
    context_features=(SideFeature("country", "categorical"), SideFeature("age", "numeric")),
)


def item_ids() -> np.ndarray:
    """Ids that are neither small nor positive only, ascending."""
    return np.sort((np.arange(ITEMS, dtype=np.int64) - 3) * 1_000_003)


def embedding_sets(schema: ExampleSchema = SCHEMA, seed: int = 0) -> dict[str, EmbeddingSet]:
    """Shows the hidden directions with noise; a tenth of the items has no embedding."""
    rng = np.random.default_rng(seed + 1)
    hidden = _directions(np.random.default_rng(0), ITEMS)
    sets = {}
    for modality in schema.modalities:
        shown = hidden @ rng.standard_normal((HIDDEN, modality.dimension))
        noisy = shown + 0.1 * rng.standard_normal(shown.shape)
        kept = np.arange(ITEMS) % 10 != len(modality.name) % 10
        sets[modality.name] = embedding_set.from_vectors(
            item_ids()[kept], noisy[kept].astype(np.float32)
        )
    return sets


def random_requests(
    schema: ExampleSchema = SCHEMA,
    count: int = 100,
    seed: int = 0,
    sizes: Sequence[int] = CANDIDATES,
) -> list[RankingRequest]:
    """Draws requests, as the join would build them."""
    rng = np.random.default_rng(seed)
    hidden = _directions(np.random.default_rng(0), ITEMS)
    sets = embedding_sets(schema)
    requests = []
    for index in range(count):
        taste = _directions(rng, 1)[0]
        likes = 1 / (1 + np.exp(-8 * hidden @ taste - 2 * hidden[:, 0]))
        candidates = rng.integers(0, ITEMS, rng.choice(sizes))
        length = rng.integers(0, schema.history_length + 1)
        behaviors = rng.choice(ITEMS, length, p=likes**3 / np.sum(likes**3))
        labels = (rng.random(len(candidates)) < likes[candidates]).astype(np.float32)
        types = (rng.random(len(behaviors)) < likes[behaviors]).astype(np.int64)
        gaps = -np.sort(-rng.integers(1, 10**8, len(behaviors)))
        requests.append(
            RankingRequest(
                user_id=int(rng.integers(count // 4 + 1)),
                request_id=seed * 10**6 + index,
                timestamp=index * 10**6,
                history_item_id=item_ids()[behaviors],
                history_time_gap=gaps,
                history_type=types % schema.behavior_types,
                candidate_item_id=item_ids()[candidates],
                labels=dict.fromkeys(schema.labels, labels),
                features={
                    **({HISTORY_RESIDUAL: 1 + 254 * types} if schema.has_residuals else {}),
                    **({CANDIDATE_SAMPLE_WEIGHT: _weights(candidates)} if schema.weighted else {}),
                    **_content(schema, sets, item_ids()[candidates], item_ids()[behaviors]),
                    **{
                        candidate_feature(side.name): _side_values(side, candidates)
                        for side in schema.item_features
                    },
                    **{
                        context_feature(side.name): _side_values(side, np.array([index]))[0]
                        for side in schema.context_features
                    },
                },
            )
        )
    return requests


def batch_of(requests: Sequence[RankingRequest], schema: ExampleSchema = SCHEMA) -> dict:
    """Returns requests as a parsed batch, by way of their records."""
    serialized = [example.encode_request(schema, request) for request in requests]
    return example.parse_examples(schema, tf.constant(serialized))


def write_example_set(
    folder: str,
    schema: ExampleSchema = SCHEMA,
    splits: Mapping[str, int] = SPLITS,
    shards: int = 3,
    seed: int = 0,
    inverted: Sequence[str] = (),
    candidates: Sequence[int] = CANDIDATES,
    extension: str = "tfrecord",
) -> ExampleSet:
    """Writes shards, vocabulary and manifest, and opens the folder.

    Args:
      folder: created if absent.
      schema: what the records hold.
      splits: records by split.
      shards: files per split.
      seed: of the requests.
      inverted: splits with inverted labels, on which learning makes a model worse.
      candidates: numbers of candidates that a request may have.
      extension: of the shards; `tfrecord.gz` compresses them.
    """
    os.makedirs(os.path.join(folder, "vocabulary"))
    shard_values, split_values = {}, {}
    for number, (split, count) in enumerate(splits.items()):
        requests = random_requests(schema, count, 1000 * seed + number, candidates)
        if split in inverted:
            requests = [_inverted(request) for request in requests]
        names = [f"{split}-{i:05d}-of-{shards:05d}.{extension}" for i in range(shards)]
        names = names if count else []
        for index, name in enumerate(names):
            shard_values[name] = _write_shard(folder, name, schema, requests[index::shards], split)
        sizes, records = np.unique([len(r.candidate_item_id) for r in requests], return_counts=True)
        split_values[split] = {
            "shards": names,
            "requests": count,
            "records": count,
            "candidates": int((sizes * records).sum()),
            "candidates_per_record": {str(c): int(n) for c, n in zip(sizes, records, strict=True)},
        }
    vocabulary = "vocabulary/item_id.txt"
    id_table.write_vocabulary(os.path.join(folder, vocabulary), item_ids()[:-5])
    digest = checked.sha256(os.path.join(folder, vocabulary))
    manifest.write_manifest(
        folder,
        {
            "embedding_sets": {
                name: {"fingerprint": one.fingerprint}
                for name, one in embedding_sets(schema).items()
            },
            "schema": schema.to_dict(),
            "schema_fingerprint": schema.fingerprint(),
            "shards": shard_values,
            "splits": split_values,
            "vocabulary": {vocabulary: {"ids": ITEMS - 5, "sha256": digest}},
        },
    )
    return ExampleSet.open(folder)


def describe_shards(folder: str) -> ExampleSet:
    """Lets the manifest describe the shards as they are now, and opens the folder."""
    values = manifest.read_manifest(folder)
    for name, entry in values["shards"].items():
        entry |= checked.fingerprint(os.path.join(folder, name))
    manifest.write_manifest(folder, values)
    return ExampleSet.open(folder)


def _inverted(request: RankingRequest) -> RankingRequest:
    labels = {label: 1 - values for label, values in request.labels.items()}
    return dataclasses.replace(request, labels=labels)


def _directions(rng: np.random.Generator, count: int) -> np.ndarray:
    directions = rng.standard_normal((count, HIDDEN))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _content(schema, sets, candidates, behaviors) -> dict[str, np.ndarray]:
    content = {}
    for modality in schema.modalities:
        values = sets[modality.name]
        shown, seen = values.rows(candidates), values.rows(behaviors)
        content[similarity_feature(modality.name)] = similarity.codes(
            values.quantized[shown], values.norms[shown], values.quantized[seen], values.norms[seen]
        )
        content[candidate_embedding_feature(modality.name)] = values.quantized[shown]
    return content


def float_weights(model: RankingModel) -> list[tf.Variable]:
    """A model's weights of floats, for tests that draw them; not the norms of frozen vectors."""
    frozen = {id(one) for table in model.content_tables.values() for one in table.variables}
    return [one for one in model.weights if one.dtype.is_floating and id(one) not in frozen]


def _side_values(side: SideFeature, rows: np.ndarray) -> np.ndarray:
    """Values that depend on the row alone; a categorical row 0 is all padding."""
    values = rows[:, None] * np.arange(1, side.width + 1) % 7
    return values if side.kind == "categorical" else values.astype(np.float32) - 3


def _weights(rows: np.ndarray) -> np.ndarray:
    """Weights of 0.5, 1 and 1.5 that depend on the row alone."""
    return (0.5 + rows % 3 / 2).astype(np.float32)


def _write_shard(folder, name, schema, requests, split) -> dict[str, object]:
    path = os.path.join(folder, name)
    with tf.io.TFRecordWriter(path, "GZIP" if path.endswith(".gz") else "") as writer:
        for request in requests:
            writer.write(example.encode_request(schema, request))
    return {"split": split, "records": len(requests), **checked.fingerprint(path)}
