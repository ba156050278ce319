"""A vocabulary of what occurs often enough: counted by a Beam job, used by training."""

import collections
import dataclasses
import logging
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from features.id_kinds import IdKinds
from features.ids import id_table
from features.records import example
from models import factory
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from pipeline.training_runs import training_inputs
from pipeline.vocabulary.job import build_vocabulary
from tests import synthetic

SPLITS = {"train": 90, "validation": 30}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("examples") / "set")
    synthetic.write_example_set(path, splits=SPLITS)
    return path


@pytest.fixture(scope="module")
def oracle():
    """Occurrences by id in the train split, counted one by one."""
    counts = collections.Counter()
    for request in synthetic.random_requests(count=SPLITS["train"], seed=0):
        counts.update(request.history_item_id.tolist() + request.candidate_item_id.tolist())
    return counts


def contents(path):
    return {one.name: one.read_bytes() for one in sorted(pathlib.Path(path).iterdir())}


def test_counts_order_and_manifest_are_those_of_an_oracle(folder, oracle, tmp_path):
    output = str(tmp_path / "vocabulary")
    minimum = int(np.median(list(oracle.values())))
    found = build_vocabulary(folder, output, minimum)
    kept = [(value, count) for value, count in oracle.items() if count >= minimum]
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    assert 5 < len(kept) < len(oracle) - 5
    lines = (tmp_path / "vocabulary" / "counts.tsv").read_text().splitlines()
    assert lines == [f"{value}\t{count}" for value, count in kept]
    ids = id_table.read_vocabulary(f"{output}/item_id.txt")
    assert ids.tolist() == sorted(value for value, _ in kept)
    assert found["counts"] == {
        "records": SPLITS["train"],
        "ids": len(oracle),
        "occurrences": sum(oracle.values()),
        "kept_ids": len(kept),
        "kept_occurrences": sum(count for _, count in kept),
    }
    assert sorted(contents(output)) == ["counts.tsv", "item_id.txt", "manifest.json"]


def test_the_most_frequent_are_kept_and_the_smaller_id_among_equals(folder, oracle, tmp_path):
    by_rank = sorted(oracle, key=lambda value: (-oracle[value], value))
    ties = [n for n in range(1, len(by_rank)) if oracle[by_rank[n - 1]] == oracle[by_rank[n]]]
    size = ties[len(ties) // 2]
    build_vocabulary(folder, str(tmp_path / "out"), 1, size)
    ids = id_table.read_vocabulary(str(tmp_path / "out" / "item_id.txt"))
    assert ids.tolist() == sorted(by_rank[:size])


@pytest.mark.parametrize("shards", [1, 7])
def test_the_same_records_in_other_shards_give_the_same_bytes(folder, tmp_path, shards):
    other = str(tmp_path / "set")
    synthetic.write_example_set(other, splits=SPLITS, shards=shards)
    for number, examples in enumerate((folder, other)):
        build_vocabulary(examples, str(tmp_path / f"out{number}"), 3, 40)
    first, second = (contents(tmp_path / f"out{number}") for number in range(2))
    del first["manifest.json"], second["manifest.json"]  # They name their inputs.
    assert first == second


def test_run_again_it_does_nothing_and_with_other_parameters_it_refuses(folder, tmp_path):
    output = str(tmp_path / "out")
    first = build_vocabulary(folder, output, 2)
    before = contents(output)
    assert build_vocabulary(folder, output, 2) == first
    with pytest.raises(UserInputError, match="minimum_count was 2, now 3"):
        build_vocabulary(folder, output, 3)
    assert contents(output) == before


@pytest.mark.guarantee("damaged", "build_vocabulary")
def test_nothing_is_published_where_no_id_is_kept_or_a_shard_is_corrupt(tmp_path):
    examples = synthetic.write_example_set(str(tmp_path / "set"), splits=SPLITS)
    with pytest.raises(UserInputError, match=r"None of \d+ ids occurs --minimum_count 100000"):
        build_vocabulary(examples.folder, str(tmp_path / "out"), 100_000)
    shard = pathlib.Path(examples.shards("train")[1])
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 255
    shard.write_bytes(bytes(data))
    with pytest.raises(UserInputError, match=shard.name):
        build_vocabulary(examples.folder, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_model_has_rows_for_the_kept_ids_alone_and_the_rest_shares_the_oov_rows(folder, tmp_path):
    output = str(tmp_path / "out")
    build_vocabulary(folder, output, 1, 10)
    config = ModelConfig(embedding_width=4, head_width=4, hidden=(8,), oov_buckets=3)
    examples = training_inputs.open_examples(folder, output, config)
    kept = examples.vocabulary()
    model = factory.build_model(config, examples.schema, kept)
    assert model.item_embedding.table.shape == (3 + 10, 4)
    rows = model.item_embedding.rows(tf.constant(synthetic.item_ids())).numpy()
    known = np.isin(synthetic.item_ids(), kept)
    assert sorted(rows[known]) == list(range(3, 13))
    assert set(rows[~known]) <= {0, 1, 2}
    # Any file of ids will do, and another vocabulary makes another run to resume.
    assert examples.with_vocabulary(f"{output}/item_id.txt").identity() == examples.identity()
    assert ExampleSet.open(folder).identity() != examples.identity()


def test_a_vocabulary_that_is_none_or_of_no_use_is_refused(folder, tmp_path):
    config = ModelConfig(hashed_buckets=16)
    with pytest.raises(UserInputError, match="do not go together"):
        training_inputs.open_examples(folder, folder, config)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserInputError, match="no vocabulary"):
        ExampleSet.open(folder).with_vocabulary(str(tmp_path))


def test_a_vocabulary_says_the_kind_of_its_ids_and_fits_no_other(folder, tmp_path):
    schema = dataclasses.replace(synthetic.SCHEMA, id_kinds=IdKinds(item="string"))
    examples = synthetic.write_example_set(str(tmp_path / "set"), schema, SPLITS)
    found = build_vocabulary(examples.folder, str(tmp_path / "out"))
    assert found["id_kinds"] == {"item": "string", "string_hash": "FarmHash Fingerprint64"}
    assert len(examples.with_vocabulary(str(tmp_path / "out")).vocabulary())
    # Examples of an earlier version say no kind.
    assert len(ExampleSet.open(folder).with_vocabulary(str(tmp_path / "out")).vocabulary())
    integers = dataclasses.replace(schema, id_kinds=IdKinds(item="integer"))
    with pytest.raises(UserInputError, match=r"Vocabulary .*/out': item ids are strings"):
        dataclasses.replace(examples, schema=integers).with_vocabulary(str(tmp_path / "out"))


@pytest.mark.parametrize("size", [3, 10_000])
def test_a_vocabulary_of_other_ids_is_refused_a_smaller_or_larger_one_is_not(
    folder, tmp_path, size, caplog
):
    own = ExampleSet.open(folder).vocabulary()
    others = 10**15 + np.arange(10_000)
    ids = np.concatenate([own, others])[:size]
    id_table.write_vocabulary(str(tmp_path / "ids.txt"), ids)
    with caplog.at_level(logging.INFO, logger="absl"):
        training_inputs.open_examples(folder, str(tmp_path / "ids.txt"), ModelConfig())
    assert "items of the smaller vocabulary are in the other too (100.0%)." in caplog.text
    id_table.write_vocabulary(str(tmp_path / "ids.txt"), others[:size])
    with pytest.raises(UserInputError, match=r"--vocabulary '.*ids.txt': 0 of .* --min_coverage"):
        training_inputs.open_examples(folder, str(tmp_path / "ids.txt"), ModelConfig())
    training_inputs.open_examples(folder, str(tmp_path / "ids.txt"), ModelConfig(), None, 0.0)


def test_ids_of_behaviors_and_candidates_are_read_as_often_as_they_occur():
    requests = synthetic.random_requests(count=3, seed=4)
    serialized = [example.encode_request(synthetic.SCHEMA, request) for request in requests]
    found = example.item_ids(tf.constant(serialized)).numpy()
    parts = [np.append(one.history_item_id, one.candidate_item_id) for one in requests]
    assert sorted(found) == sorted(np.concatenate(parts).tolist())
