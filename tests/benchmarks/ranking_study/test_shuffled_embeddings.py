"""The control changes content and nothing else."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.ranking_study import shuffled_embeddings
from features.embeddings import similarity
from features.errors import UserInputError
from features.records import example
from models.inputs.example_set import ExampleSet
from tests import synthetic


@pytest.fixture(scope="module")
def shuffled(examples, embeddings, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("shuffled") / "set")
    return ExampleSet.open(shuffled_embeddings.write_shuffled(examples, embeddings, folder))


def records(examples, split):
    return list(tf.data.TFRecordDataset(examples.shards(split)).as_numpy_iterator())


def parsed(examples, split):
    batch = example.parse_examples(examples.schema, tf.constant(records(examples, split)))
    return {name: tensor.numpy() for name, tensor in batch.items()}


def test_the_result_is_a_whole_data_set(examples, shuffled):
    np.testing.assert_array_equal(shuffled.vocabulary(), examples.vocabulary())
    assert shuffled.schema == examples.schema
    for split in ("train", "validation", "test"):
        assert len(records(shuffled, split)) == len(records(examples, split))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_only_content_changes(examples, shuffled, split):
    before, after = parsed(examples, split), parsed(shuffled, split)
    for name in before:
        same = np.array_equal(before[name], after[name])
        assert same != name.startswith(("similarity_", "candidate_embedding_")), name


def test_what_had_no_embedding_has_none(examples, shuffled):
    before, after = parsed(examples, "train"), parsed(shuffled, "train")
    for name in examples.schema.modality_names:
        codes = f"similarity_{name}"
        np.testing.assert_array_equal(before[codes] == 0, after[codes] == 0)
        changed = (before[codes] != after[codes])[before[codes] > 0]
        assert changed.mean() > 0.8
        vectors = f"candidate_embedding_{name}"
        np.testing.assert_array_equal(before[vectors].any(-1), after[vectors].any(-1))


def test_codes_are_those_of_the_shuffled_vectors(examples, shuffled):
    before, after = parsed(examples, "train"), parsed(shuffled, "train")
    (name, *_), rng = examples.schema.modality_names, np.random.default_rng(0)
    dealt = shuffled_embeddings.shuffle(synthetic.embedding_sets()[name], rng)
    rows = dealt.rows(before["candidate_item_id"][:, 0]), dealt.rows(before["history_item_id"])
    for request in range(50):
        shown, seen = rows[0][request], rows[1][request][before["history_mask"][request]]
        expected = similarity.codes(
            dealt.quantized[[shown]], dealt.norms[[shown]], dealt.quantized[seen], dealt.norms[seen]
        )[0]
        found = after[f"similarity_{name}"][request, 0, : len(seen)]
        known = before[f"similarity_{name}"][request, 0, : len(seen)] > 0
        np.testing.assert_array_equal(found, expected * known)


def test_the_very_same_vectors_give_the_very_same_records(examples):
    original = records(examples, "test")
    again = shuffled_embeddings.reencoded(examples.schema, original, synthetic.embedding_sets())
    assert list(again) == original


def test_a_shuffle_deals_every_vector_to_one_item():
    original = synthetic.embedding_sets()["text"]
    dealt = shuffled_embeddings.shuffle(original, np.random.default_rng(0))
    np.testing.assert_array_equal(dealt.item_ids, original.item_ids)
    rows = lambda one: sorted(map(bytes, one.quantized))  # noqa: E731
    assert rows(dealt) == rows(original)
    moved = (dealt.quantized != original.quantized).any(axis=1)[:-1]
    assert moved.mean() > 0.9


def test_a_missing_embedding_set_is_named(examples, embeddings, tmp_path):
    with pytest.raises(UserInputError, match=r"\['image'\].*--embeddings"):
        shuffled_embeddings.write_shuffled(
            examples, {"text": embeddings["text"]}, str(tmp_path / "out")
        )
