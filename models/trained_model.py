"""A trained model as a folder: configuration, schema, vocabulary, weights and manifest.

| file | holds |
|---|---|
| `model.json` | the resolved `ModelConfig` |
| `schema.json` | the `ExampleSchema` it was trained with |
| `vocabulary/item_id.txt` | its item ids, unless ids are hashed |
| `content/<modality>/` | the embedding sets of a model that reads vectors |
| `weights/` | a TensorFlow checkpoint |
| `manifest.json` | written last, with size and sha256 of all files above |
"""

import json
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from features.embeddings import embedding_set
from features.errors import UserInputError
from features.files import checked, manifest, staging, storage
from features.ids import id_table
from features.schema import ExampleSchema
from models import factory
from models.inputs import remote_files
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.ranking_model import RankingModel

VOCABULARY = "vocabulary/item_id.txt"
"""Where a model that hashes no ids has its own."""

REMEDY = "Copy the model's folder again, or train it again with --overwrite."
"""What to do about a damaged model."""

_EARLIER: dict[str, Any] = {"similarity_windows": (), "prior_strength": 0.0}
"""Settings that models of earlier versions do not name, as those models are."""

_CONFIG, _SCHEMA, _WEIGHTS = "model.json", "schema.json", "weights/checkpoint"
_FOLDERS = ("vocabulary", "content", "weights")


def write_trained_model(folder: str, model: RankingModel, training: Mapping[str, Any]) -> None:
    """Writes a model that is complete, or has no manifest and is none.

    Args:
      folder: local, created if absent; an earlier model in it is removed, its manifest first.
      model: its variables must exist.
      training: JSON values for the manifest that describe the training.
    """
    join = storage.join
    storage.make_folder(folder)
    if storage.is_file(path := join(folder, manifest.FILE_NAME)):
        storage.remove_file(path)
        staging.sync(folder)
    for name in _FOLDERS:
        storage.remove_folder(join(folder, name))
    config = TypeAdapter(ModelConfig).dump_python(model.config, mode="json")
    _write_json(join(folder, _CONFIG), config)
    _write_json(join(folder, _SCHEMA), model.schema.to_dict())
    if model.item_embedding.vocabulary is not None:
        path = join(folder, VOCABULARY)
        id_table.write_vocabulary(path, model.item_embedding.vocabulary)
    for name, table in model.content_tables.items():
        item_ids, vectors = table.vectors()
        location = join(folder, "content", name)
        embedding_set.write_embedding_set(
            location, item_ids, vectors, "quantized", "1", model.schema.id_kinds.item
        )
    tf.train.Checkpoint(model=model).write(join(folder, _WEIGHTS))
    staging.sync_tree(join(folder, "weights"))
    values = {"schema_fingerprint": model.schema.fingerprint(), "training": dict(training)}
    manifest.write_manifest(folder, {**values, "files": _fingerprints(folder)})


def check_files(folder: str) -> dict[str, Any]:
    """Compares a model's files with its manifest, remote ones by size alone.

    Models of earlier versions have manifests without checksums.

    Returns:
      The manifest.

    Raises:
      UserInputError: the folder holds no complete model, or a file is missing, damaged or another
        one; names it.
    """
    values = manifest.read_manifest(folder)
    for name, expected in values.get("files", {}).items():
        checked.verify(manifest.below(folder, name), expected, REMEDY)
    return values


def read_trained_model(folder: str) -> RankingModel:
    """Reads a model that `write_trained_model` wrote.

    Raises:
      UserInputError: the folder holds no complete model, one of another version, or a file of it
        is damaged.
    """
    remote_files.register(folder)
    check_files(folder)
    join = storage.join
    if not storage.is_file(path := join(folder, _CONFIG)):
        raise UserInputError(
            f"{folder!r} holds no model, it has no {_CONFIG}. Give a --model_dir of "
            f"pipeline.train. {REMEDY}"
        )
    try:
        config = TypeAdapter(ModelConfig).validate_python({**_EARLIER, **_read_json(path)})
    except ValidationError as error:
        raise UserInputError(
            f"{folder!r} holds no model that this version can read: {error}. Train it again."
        ) from error
    schema = ExampleSchema.from_dict(_read_json(join(folder, _SCHEMA)))
    vocabulary = None
    if not config.hashed_buckets:
        vocabulary = id_table.read_vocabulary(join(folder, VOCABULARY))
    embeddings = None
    reads = factory.MODELS[config.name].reads_vectors
    if reads == "always" or (reads == "if_given" and holds_vectors(folder)):
        embeddings = {
            name: embedding_set.read_embedding_set(join(folder, "content", name), quiet=True)
            for name in schema.modality_names
        }
    try:
        model = factory.build_model(config, schema, vocabulary, embeddings)
    except ValueError as error:
        raise UserInputError(f"{folder!r} holds no model: {error} {REMEDY}") from error
    _read_weights(model, join(folder, _WEIGHTS))
    return model


def holds_vectors(folder: str) -> bool:
    """Returns whether the model in a folder has frozen vectors inside."""
    return storage.exists(storage.join(folder, "content"))


def check_schema(model: RankingModel, examples: ExampleSet) -> None:
    """Refuses examples of another schema, or of another kind of ids, than the model's.

    Raises:
      UserInputError: names what differs.
    """
    examples.check_fits(model.schema)


def _fingerprints(folder: str) -> dict[str, dict[str, Any]]:
    """Returns size and sha256 of a model's files, by name."""
    found = [storage.join(folder, name) for name in (_CONFIG, _SCHEMA)]
    for name in _FOLDERS:
        within = storage.join(folder, name)
        for one in (within, *(storage.join(within, each) for each in storage.list_folders(within))):
            found += storage.list_files(one) if storage.exists(one) else []
    return {path[len(storage.join(folder, "")) :]: checked.fingerprint(path) for path in found}


def _read_weights(model: RankingModel, path: str) -> None:
    try:
        status = tf.train.Checkpoint(model=model).read(path)
        status.expect_partial()  # The optimizer's state in the checkpoint is not read.
        status.assert_existing_objects_matched()
    except (tf.errors.OpError, AssertionError, ValueError, RuntimeError, IndexError) as error:
        raise UserInputError(
            f"The weights {path!r} are damaged, or of another model than {_CONFIG}: "
            f"{str(error).splitlines()[0]}. {REMEDY}"
        ) from error


def _write_json(path: str, values: Mapping[str, Any]) -> None:
    text = json.dumps(values, indent=2, sort_keys=True)
    storage.write_bytes(path, f"{text}\n".encode())


def _read_json(path: str) -> Any:
    try:
        return json.loads(storage.read_bytes(path))
    except (OSError, ValueError) as error:
        raise UserInputError(f"{path!r} cannot be read: {error}. {REMEDY}") from error
