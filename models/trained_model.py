"""A trained model as a folder: configuration, schema, vocabulary, weights and manifest.

| file | holds |
|---|---|
| `model.json` | the resolved `ModelConfig` |
| `schema.json` | the `ExampleSchema` it was trained with |
| `vocabulary/item_id.txt` | its item ids, unless ids are hashed |
| `content/<modality>/` | the embedding sets of a model that reads vectors |
| `weights/` | a TensorFlow checkpoint |
| `manifest.json` | written last |
"""

import json
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from features.embeddings import embedding_set
from features.errors import UserInputError
from features.files import manifest, storage
from features.ids import id_table
from features.schema import ExampleSchema
from models import factory
from models.inputs import remote_files
from models.inputs.example_set import ExampleSet
from models.layers.content_table import ContentTable
from models.model_config import ModelConfig
from models.ranking_model import RankingModel

VOCABULARY = "vocabulary/item_id.txt"
"""Where a model that hashes no ids has its own."""

_WEIGHTS = "weights/checkpoint"


def write_trained_model(folder: str, model: RankingModel, training: Mapping[str, Any]) -> None:
    """Writes a model; the manifest is written last.

    Args:
      folder: created if absent; files of an earlier model in it are replaced.
      model: its variables must exist.
      training: JSON values for the manifest that describe the training.
    """
    join = storage.join
    storage.make_folder(join(folder, "vocabulary"))
    config = TypeAdapter(ModelConfig).dump_python(model.config, mode="json")
    _write_json(join(folder, "model.json"), config)
    _write_json(join(folder, "schema.json"), model.schema.to_dict())
    if model.item_embedding.vocabulary is not None:
        path = join(folder, VOCABULARY)
        id_table.write_vocabulary(path, model.item_embedding.vocabulary)
    for name, table in _content_tables(model).items():
        item_ids, vectors = table.vectors()
        location = join(folder, "content", name)
        embedding_set.write_embedding_set(
            location, item_ids, vectors, "quantized", "1", model.schema.id_kinds.item
        )
    tf.train.Checkpoint(model=model).write(join(folder, _WEIGHTS))
    manifest.write_manifest(
        folder, {"schema_fingerprint": model.schema.fingerprint(), "training": dict(training)}
    )


def read_trained_model(folder: str) -> RankingModel:
    """Reads a model that `write_trained_model` wrote.

    Raises:
      UserInputError: the folder holds no complete model, or one of another version.
    """
    remote_files.register(folder)
    manifest.read_manifest(folder)
    join = storage.join
    try:
        config = TypeAdapter(ModelConfig).validate_python(_read_json(join(folder, "model.json")))
    except (ValidationError, FileNotFoundError) as error:
        raise UserInputError(
            f"{folder!r} holds no model that this version can read: {error}. Train it again."
        ) from error
    schema = ExampleSchema.from_dict(_read_json(join(folder, "schema.json")))
    vocabulary = None
    if not config.hashed_buckets:
        vocabulary = id_table.read_vocabulary(join(folder, VOCABULARY))
    embeddings = None
    if factory.MODELS[config.name].reads_vectors:
        embeddings = {
            name: embedding_set.read_embedding_set(join(folder, "content", name), quiet=True)
            for name in schema.modality_names
        }
    model = factory.build_model(config, schema, vocabulary, embeddings)
    status = tf.train.Checkpoint(model=model).read(join(folder, _WEIGHTS))
    status.expect_partial()  # The optimizer's state in the checkpoint is not read.
    status.assert_existing_objects_matched()
    return model


def check_schema(model: RankingModel, examples: ExampleSet) -> None:
    """Refuses examples of another schema, or of another kind of ids, than the model's.

    Raises:
      UserInputError: names what differs.
    """
    examples.check_fits(model.schema)


def _content_tables(model: RankingModel) -> Mapping[str, ContentTable]:
    return model.content_embedding.tables if model.reads_vectors else {}


def _write_json(path: str, values: Mapping[str, Any]) -> None:
    text = json.dumps(values, indent=2, sort_keys=True)
    storage.write_bytes(path, f"{text}\n".encode())


def _read_json(path: str) -> dict[str, Any]:
    return json.loads(storage.read_bytes(path))
