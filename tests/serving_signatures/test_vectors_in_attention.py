"""Attention over ids and vectors: which vectors each signature reads."""

import dataclasses

import numpy as np
import pytest

from features.schema import BEHAVIORS, CANDIDATES
from serving_signatures import names
from serving_signatures.signatures import ServingSignatures
from tests import synthetic
from tests.serving_signatures import serving

SCORING = (names.SERVING_DEFAULT, names.SCORE_REQUEST, names.SCORE_CACHED)
LEAN = dataclasses.replace(
    synthetic.SCHEMA,
    modalities=tuple(
        dataclasses.replace(one, candidate_embedding=one.name == "text")
        for one in synthetic.SCHEMA.modalities
    ),
)
"""Of records without the candidates' vectors in one modality."""


def scores(signatures, sample, inside=True):
    return {name: serving.score(signatures.functions, name, sample, inside) for name in SCORING}


@pytest.mark.parametrize("inside", [True, False], ids=["tables", "vectors"])
def test_records_without_candidates_vectors_score_as_requests_do(embeddings, inside):
    model = serving.random_model(schema=LEAN)
    signatures = ServingSignatures(model, embeddings if inside else None)
    sample = serving.requests((3, 7, 50), embeddings, schema=LEAN)
    expected = serving.oracle(model, sample)
    for received in scores(signatures, sample, inside).values():
        serving.assert_same(received, expected)


def test_sets_inside_take_the_place_of_those_of_the_training(model):
    newer = synthetic.embedding_sets(seed=1)
    signatures = ServingSignatures(model, newer)
    sample = serving.requests((3, 7, 50), newer)
    default, *others = scores(signatures, sample).values()
    for received in others:
        serving.assert_same(received, default)
    # The records are of the newer sets too, so the vectors in the attention alone differ.
    of_training = serving.oracle(model, sample)[model.label]
    assert np.abs(default[model.label] - of_training).max() > 0.01


def test_where_content_lies_in_caches_depends_on_where_the_sets_are(published):
    inputs = published.signatures[names.SCORE_CACHED].structured_input_signature[1]
    outputs = published.signatures[names.TARGET_AWARE_PROJECTIONS].structured_outputs
    for axis in (CANDIDATES, BEHAVIORS):
        found = axis.feature(names.ATTENTION_CONTENT) in inputs
        assert found == (names.ATTENTION_CONTENT in outputs) == published.tables_inside
