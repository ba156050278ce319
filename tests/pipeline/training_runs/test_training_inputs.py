"""Vectors to train with are of the examples' items, or the training does not start."""

import dataclasses
import logging

import numpy as np
import pytest

from features.embeddings import embedding_set
from features.errors import UserInputError
from features.id_kinds import IdKinds
from features.ids import id_table
from pipeline.training_runs import training_inputs
from tests import synthetic

LEAST = 0.01


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("examples") / "set")
    schema = dataclasses.replace(synthetic.SCHEMA, id_kinds=IdKinds(item="integer"))
    return synthetic.write_example_set(folder, schema, {"train": 20, "validation": 10})


def folders(path, convert):
    for name, one in synthetic.embedding_sets().items():
        vectors = one.quantized[:-1].astype(np.float32)
        arguments = (str(path / name), convert(one.item_ids), vectors, "encoder", "1")
        embedding_set.write_embedding_set(*arguments)
    return {name: str(path / name) for name in synthetic.SCHEMA.modality_names}


def test_the_share_of_the_vocabulary_is_logged_by_modality(examples, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="absl"):
        found = training_inputs.read_vectors(folders(tmp_path, np.array), examples, LEAST)
    assert set(found) == {"text", "image"}
    assert "text: 49 of 55 items of the vocabulary have a vector (89.1%)." in caplog.text
    assert "--embeddings image: " in caplog.text


def test_vectors_of_ids_that_became_strings_are_refused(examples, tmp_path):
    as_strings = folders(tmp_path, lambda ids: ids.astype(str))
    with pytest.raises(UserInputError, match=r"--embeddings text: item ids are strings .*FarmHash"):
        training_inputs.read_vectors(as_strings, examples, LEAST)
    # Examples of an earlier version say no kind; the share does.
    unknown = dataclasses.replace(examples, schema=synthetic.SCHEMA)
    with pytest.raises(UserInputError, match="text: 0 of 55 items of the vocabulary"):
        training_inputs.read_vectors(as_strings, unknown, LEAST)


def test_vectors_of_another_catalog_are_refused_unless_told(examples, tmp_path):
    others = folders(tmp_path, lambda ids: ids + 1)
    with pytest.raises(UserInputError, match=r"text: 0 of 55 items.*less than --min_coverage 0.01"):
        training_inputs.read_vectors(others, examples, LEAST)
    assert training_inputs.read_vectors(others, examples, 0.0)


def test_a_start_from_a_model_of_other_items_is_refused_unless_told(examples, tmp_path, caplog):
    path = tmp_path / "model" / "vocabulary" / "item_id.txt"
    path.parent.mkdir(parents=True)
    start, own = str(tmp_path / "model"), examples.vocabulary()
    with caplog.at_level(logging.INFO, logger="absl"):
        id_table.write_vocabulary(str(path), [*own[:5], *(10**15 + np.arange(5))])
        training_inputs.check_start(start, examples, LEAST)
    assert "5 of 10 items of the smaller vocabulary are in the other too (50.0%)." in caplog.text
    id_table.write_vocabulary(str(path), own + 1)
    with pytest.raises(UserInputError, match=r"--warm_start '.*model': 0 of 55 items"):
        training_inputs.check_start(start, examples, LEAST)
    training_inputs.check_start(start, examples, 0.0)
    path.unlink()  # A model that hashes ids has none.
    training_inputs.check_start(start, examples, LEAST)
    training_inputs.check_start(None, examples, LEAST)
