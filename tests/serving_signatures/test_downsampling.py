"""A model of down-sampled negatives serves probabilities of the whole log, by every signature."""

import dataclasses
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from features.records import example
from features.schema import Downsampling
from serving_signatures.export import gate
from serving_signatures.signatures import ServingSignatures
from serving_signatures.skew import check
from serving_signatures.versions.loaded_version import LoadedVersion
from tests import synthetic
from tests.serving_signatures import serving

RATE = 0.1
SAMPLED = dataclasses.replace(
    synthetic.SCHEMA, downsampling=Downsampling("click", RATE), weighted=True
)


@pytest.fixture(scope="module")
def sampled():
    return serving.random_model(schema=SAMPLED, conversion_label="conversion")


@pytest.fixture(scope="module")
def whole(sampled):
    """The same weights on records of the whole log."""
    model = serving.random_model(conversion_label="conversion")
    for one, other in zip(model.trainable_variables, sampled.trainable_variables, strict=True):
        one.assign(other)
    return model


@pytest.fixture(scope="module")
def signatures(sampled):
    return ServingSignatures(sampled, synthetic.embedding_sets())


def corrected(model, sample):
    """Probabilities of clicks and of clicks that convert, as the papers write them."""
    batch = example.parse_examples(synthetic.SCHEMA, tf.constant(sample["examples"]))
    mask = batch["candidate_mask"].numpy()
    found = {
        label: tf.sigmoid(tf.cast(logit, tf.float64)).numpy()
        for label, logit in model.logits_by_label(batch).items()
    }
    p = found["click"]
    click = p / (p + (1 - p) / RATE)
    joint = click * found["conversion"] / p
    return {"click": np.where(mask, click, 0), "conversion": np.where(mask, joint, 0), "mask": mask}


@pytest.mark.parametrize("name", ["serving_default", "score_request", "score_cached"])
@pytest.mark.parametrize("shape", [(3, 7, 50), (2, 1, 1)], ids=str)
def test_every_signature_corrects_both_labels(whole, signatures, shape, name):
    # Requests have no weights, and need none.
    sample = serving.requests(shape, synthetic.embedding_sets())
    received = serving.score(signatures.functions, name, sample)
    serving.assert_same(received, corrected(whole, sample))


def test_caches_of_the_whole_log_stay_valid(whole, signatures):
    """The share is in the head alone, so another one costs no backfill."""
    assert serving.traced(whole, synthetic.embedding_sets()).tags == signatures.tags


@pytest.mark.slow(seconds=40)
def test_an_export_says_so_and_passes_its_gate_and_the_skew_check(tmp_path, sampled, whole):
    examples = synthetic.write_example_set(str(tmp_path / "set"), SAMPLED, {"test": 20})
    sets = synthetic.embedding_sets()
    exported = gate.export_model(sampled, str(tmp_path / "ctr"), examples, sets, (1,), requests=5)
    assert any("004-5x" in name for name in exported.parity["differences"])
    with open(os.path.join(exported.folder, "assets.extra", "manifest.json")) as file:
        values = json.load(file)
    assert values["downsampling"] == {"label": "click", "rate": RATE}
    assert values["schema"] == synthetic.SCHEMA.to_dict()
    version = LoadedVersion.open(exported.folder)
    sample = serving.requests((3, 7, 50), sets)
    for name in ("serving_default", "score_request", "score_cached"):
        serving.assert_same(
            serving.score(version.signatures, name, sample), corrected(whole, sample)
        )
    tally, found = check.check(version, examples, "test", (), {}, 20, 0)
    assert found["records"] == 20
    assert not tally.skew
