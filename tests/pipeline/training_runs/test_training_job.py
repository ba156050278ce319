"""Which vectors a training gives to its model."""

import dataclasses
import logging

import numpy as np
import pytest

from features.errors import UserInputError
from models import factory
from models.model_config import ModelConfig
from pipeline.training_runs import training_job
from tests import synthetic


@pytest.fixture
def late():
    """Sets of which one has a vector that came at a certain time."""
    sets = synthetic.embedding_sets()
    times = sets["image"].available_at.copy()
    times[3] = 1_700_000_000_000_000
    return sets | {"image": dataclasses.replace(sets["image"], available_at=times)}


def given(caplog, sets, name, start=None, **fields):
    with caplog.at_level(logging.INFO, logger="absl"):
        return training_job._readable(sets, ModelConfig(name=name, **fields), start)


def test_attention_reads_vectors_that_were_always_there(caplog):
    sets = synthetic.embedding_sets()
    assert not any(np.any(one.available_at > 0) for one in sets.values())
    assert given(caplog, sets, "dmf") is sets
    assert caplog.text == ""


def test_attention_reads_no_vector_that_came_late_and_says_so(caplog, late):
    assert given(caplog, late, "dta") == {}
    assert "Attention reads similarity alone: vectors of image have times." in caplog.text


def test_without_vectors_attention_says_that_it_reads_similarity_alone(caplog):
    assert given(caplog, {}, "dmf") == {}
    assert "Attention reads similarity alone: no vectors are given." in caplog.text


def test_a_model_reads_vectors_if_the_one_that_it_starts_from_does(caplog, tmp_path):
    sets, start = synthetic.embedding_sets(), str(tmp_path)
    assert given(caplog, sets, "dmf", start) == {}
    assert "similarity alone: so does the model that it starts from." in caplog.text
    (tmp_path / "content" / "text").mkdir(parents=True)
    assert given(caplog, sets, "dmf", start) is sets


def test_a_width_of_0_leaves_vectors_out(caplog):
    assert given(caplog, synthetic.embedding_sets(), "dmf", content_width=0) == {}
    assert "similarity alone: model.content_width is 0." in caplog.text
    config = ModelConfig(name="raw_vectors", content_width=0)
    with pytest.raises(UserInputError, match=r"content_width is 0, .*=raw_vectors reads vectors"):
        factory.build_model(
            config, synthetic.SCHEMA, synthetic.item_ids(), synthetic.embedding_sets()
        )


@pytest.mark.parametrize("name", ["raw_vectors", "id_only", "dmf_paper"])
def test_other_models_get_what_was_given(caplog, late, name):
    assert given(caplog, late, name) is late
    assert caplog.text == ""
