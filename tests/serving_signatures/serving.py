"""What the tests of signatures share: tiny models with random weights, requests, scoring."""

import numpy as np
import tensorflow as tf

from features.embeddings.embedding_set import EmbeddingSet
from features.records import example
from features.records.requests import Arrays
from models import factory
from models.model_config import ModelConfig
from serving_signatures.export import parity_process
from serving_signatures.export.sample_requests import encode_batch, sample_requests
from serving_signatures.signatures import ServingSignatures
from serving_signatures.versions import loaded_version
from tests import synthetic

CONFIG = ModelConfig(
    embedding_width=17,
    heads=2,
    head_width=13,
    buckets=6,
    tiers=5,
    tier_width=4,
    projection_width=3,
    content_width=5,
    side_buckets=16,
    side_width=2,
    hidden=(16, 8),
)
SHAPES = ((1, 1, 0), (1, 1200, 50), (3, 7, 50), (2, 1, 1))  # R, C, L
TOLERANCE = 1e-5


def random_model(seed=0, schema=synthetic.SCHEMA, vectors=True, **changes):
    """A model whose every variable is random, large enough for each to matter."""
    config = ModelConfig(**{**CONFIG.__dict__, **changes})
    sets = synthetic.embedding_sets() if vectors else None
    model = factory.build_model(config, schema, synthetic.item_ids()[:-5], sets)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    # By numbers of their own, so that another head leaves them the same.
    rng = np.random.default_rng(seed + 1)
    for table in [] if model.item_prior is None else model.item_prior.tables:
        unknown = np.arange(table.shape[0]) < config.oov_buckets
        table.assign(np.where(unknown[:, None], 0, 0.3 * rng.standard_normal(table.shape)))
    return model


def traced(model, embeddings=None, *bound, scoring=()) -> ServingSignatures:
    """Signatures of a model, of which only some score: the others return what they are given.

    A scoring signature takes one to two seconds to trace, and what a test reads may be without it:
    the projections and their tags are whole.
    """
    others = {
        f"_{name}": lambda self, **inputs: inputs
        for name in ("serving_default", "score_request", "score_cached")
        if name not in scoring
    }
    return type("PartlyTraced", (ServingSignatures,), others)(model, embeddings, *bound)


def requests(shape, embeddings: dict[str, EmbeddingSet], seed=0, schema=synthetic.SCHEMA) -> Arrays:
    """A batch with vectors, and the same requests as serialized Examples."""
    seed += 31 * sum(shape)
    batch = sample_requests(schema, synthetic.item_ids(), embeddings, shape, seed)
    return {**batch, "examples": np.array(encode_batch(schema, batch), object)}


def inputs(sample: Arrays, tables_inside: bool) -> Arrays:
    """What a client sends to `score_request`: vectors only where the model has none inside."""
    left_out = {name for name in sample if "_vector_" in name and tables_inside} | {"examples"}
    return {name: value for name, value in sample.items() if name not in left_out}


def oracle(model, sample: Arrays) -> Arrays:
    """Probabilities of the Keras model, run eagerly on the parsed records; 0 where padded."""
    batch = example.parse_examples(model.schema, tf.constant(sample["examples"]))
    mask = batch["candidate_mask"].numpy()
    return {model.label: np.where(mask, tf.sigmoid(model(batch)).numpy(), 0), "mask": mask}


def score(signatures, name: str, sample: Arrays, tables_inside=True) -> Arrays:
    """Scores by any of the three scoring signatures; fills caches where it needs them."""
    if name == "score_cached":
        sample = parity_process.cached_inputs(signatures, inputs(sample, tables_inside))
    return loaded_version.call(signatures[name], sample)


def assert_same(received: Arrays, expected: Arrays, tolerance=TOLERANCE) -> None:
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        assert np.isfinite(received[name]).all()
        np.testing.assert_allclose(received[name], value, atol=tolerance, rtol=0, err_msg=name)
