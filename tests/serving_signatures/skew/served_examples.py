"""Joined records and models that serve them, for tests that replay records."""

import dataclasses
import os
import shutil

import numpy as np
import tensorflow as tf

from features.embeddings import embedding_set
from features.files import manifest
from models import factory
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from serving_signatures.export import saved_model
from serving_signatures.signatures import ServingSignatures
from serving_signatures.versions.loaded_version import LoadedVersion
from tests import synthetic
from tests.pipeline.join import logs

ITEMS = [f"item-{number}" for number in range(40)]
WIDTHS = {"text": 16, "image": 9}
CONFIG = ModelConfig(
    embedding_width=8, head_width=8, side_buckets=16, hidden=(16,), projection_width=3
)
TIMES = [0, 1_000_080 * 1_000_000, 1_000_150 * 1_000_000]
"""When embeddings come in: always, or within the log, microseconds."""


@dataclasses.dataclass(frozen=True)
class Joined:
    """A data set and the folders of its embedding sets by modality."""

    examples: ExampleSet
    embeddings: dict[str, str]


def join(folder, seed=0, times=None):
    """Joins a random log with float vectors, some of which come late if `times` says when."""
    rows = logs.random_rows(seed, events=600, users=12, items=len(ITEMS), request_ids=True)
    embeddings = {}
    for number, (name, width) in enumerate(WIDTHS.items()):
        # Times are drawn first: the same vectors with and without them.
        own = logs.random_embeddings(number, ITEMS, width)
        if times is not None:
            random = np.random.default_rng(seed)
            own = {item: (one[0], int(random.choice(times))) for item, one in own.items()}
        embeddings[name] = logs.write_embeddings(folder / name, own)
    options = {
        "events": logs.write_log(folder / "log", rows),
        "embeddings": embeddings,
        "output": str(folder / "examples"),
        "behavior_type": ("rating >= 4",),
        "behavior_rule": "all",
        "statistics": ("click", "rating"),
        "context": ("rating:numeric",),
        "history_length": 9,
        "split_fractions": (0.4, 0.1, 0.5),
        "partitions": 3,
    }
    build_examples(JoinOptions.from_dict(options))
    return Joined(ExampleSet.open(options["output"]), embeddings)


def publish(folder, joined, tables_inside, config=CONFIG):
    """Saves a model of random weights as an export does, without its checks."""
    schema = joined.examples.schema
    model = factory.build_model(config, schema, joined.examples.vocabulary())
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    sets = {
        name: embedding_set.read_embedding_set(path) for name, path in joined.embeddings.items()
    }
    signatures = ServingSignatures(model, sets if tables_inside else None)
    version = str(folder / "1")
    saved_model._save(signatures, version)
    extra = os.path.join(version, "assets.extra")
    os.makedirs(extra)
    manifest.write_manifest(extra, {"schema": schema.to_dict()})
    return LoadedVersion.open(version)


def with_changed_record(folder, joined, change):
    """Copies a data set with every test record as `change` returns it, given its number."""
    shutil.copytree(joined.examples.folder, folder)
    number = 0
    for path in ExampleSet.open(str(folder)).shards("test"):
        data = list(tf.data.TFRecordDataset(path).as_numpy_iterator())
        with tf.io.TFRecordWriter(path) as writer:
            for record in data:
                writer.write(change(record, number))
                number += 1
    return synthetic.describe_shards(str(folder))
