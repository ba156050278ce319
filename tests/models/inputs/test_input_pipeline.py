"""Every record once per pass, in batches with little padding, in an order set by the seed."""

import dataclasses

import numpy as np
import pytest

from features.errors import UserInputError
from features.files import manifest
from models.inputs import input_pipeline
from models.inputs.example_set import ExampleSet
from models.training.config import TrainingConfig
from models.training.passes import TrainingInput
from tests import manifests, synthetic

EDGES = (1, 2, 3, 5, 9, 17, 33, 65, 129)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("examples") / "set"))


def training(examples, batch_candidates=64, seed=1):
    return input_pipeline.training_batches(examples, "train", batch_candidates, 1000, seed)


def request_ids(batches):
    return [batch["request_id"].numpy().tolist() for batch in batches]


def flat(batches):
    return [identifier for batch in batches for identifier in batch]


@pytest.fixture(scope="module")
def batches(examples):
    """64 candidates per batch; shared, since tracing the parser is the slow part."""
    return training(examples)


@pytest.mark.parametrize("batch_candidates", [1, 16, 64, 100_000])
def test_batches_are_counted_without_reading_them(examples, batch_candidates):
    counts = [len(r.candidate_item_id) for r in synthetic.random_requests(count=400, seed=0)]
    bucket = np.searchsorted(EDGES, counts, side="right")
    expected = 0
    for low, high in zip(EDGES, (*EDGES[1:], None), strict=True):
        size = max(1, batch_candidates // (high - 1)) if high else 1
        expected += -(-int(np.sum(bucket == EDGES.index(low) + 1)) // size)
    assert input_pipeline.count_batches(examples, "train", batch_candidates) == expected


@pytest.mark.parametrize("batch_candidates", [16, 100_000])
def test_every_record_of_a_split_is_read_once(examples, batch_candidates):
    for split, first, count, received in (
        ("train", 0, 400, training(examples, batch_candidates)),
        (
            "validation",
            10**6,
            120,
            input_pipeline.evaluation_batches(examples, "validation", batch_candidates),
        ),
    ):
        identifiers = request_ids(received)
        assert sorted(flat(identifiers)) == list(range(first, first + count))
        assert len(identifiers) == input_pipeline.count_batches(examples, split, batch_candidates)


def test_batches_hold_about_the_candidates_asked_for_and_pad_only_within_their_bucket(batches):
    seen = set()
    for batch in batches:
        mask = batch["candidate_mask"].numpy()
        shape, counts = mask.shape, mask.sum(1)
        assert counts.max() == shape[1]
        bucket = np.searchsorted(EDGES, counts, side="right")
        assert len(set(bucket)) == 1
        seen.add(int(bucket[0]))
        assert mask.size <= 64
    assert len(seen) == 5


def test_records_of_one_bucket_give_the_batches_that_a_search_for_it_gives(tmp_path, monkeypatch):
    examples = synthetic.write_example_set(str(tmp_path / "set"), candidates=(3, 4))
    assert set(examples.candidates_per_record("train")) == {3, 4}
    quick = request_ids(training(examples))
    evaluated = request_ids(input_pipeline.evaluation_batches(examples, "validation"))
    every = np.ones(len(EDGES), np.int64)
    monkeypatch.setattr(input_pipeline, "_records_by_bucket", lambda *_: every)
    assert request_ids(training(examples)) == quick
    assert request_ids(input_pipeline.evaluation_batches(examples, "validation")) == evaluated


@pytest.mark.parametrize("mixed", ["requests", "candidates"])
@pytest.mark.slow
def test_a_pass_has_an_order_of_its_own_whatever_was_read_before(tmp_path, mixed):
    # One shard, so that the order of shards cannot stand in for that of records.
    examples = synthetic.write_example_set(str(tmp_path / "set"), shards=1)
    config = TrainingConfig(batch_candidates=16, batches_of=mixed, shuffle_buffer=1000)
    data, other = (
        TrainingInput(examples, config),
        TrainingInput(examples, dataclasses.replace(config, seed=2)),
    )
    passes = [request_ids(data.one_pass(number)) for number in (0, 1)]
    assert sorted(flat(passes[0])) == sorted(flat(passes[1]))
    # Not only the order of batches: what shares a batch differs too.
    assert set(map(frozenset, passes[0])) != set(map(frozenset, passes[1]))
    assert request_ids(other.one_pass(0)) not in passes
    assert [request_ids(data.one_pass(number)) for number in (1, 0)] == passes[::-1]
    per_pass = data.batches_per_pass
    assert len(passes[0]) == per_pass
    assert request_ids(data.after(per_pass + 3)) == passes[1][3:]
    assert request_ids(data.after(2 * per_pass)) == request_ids(data.one_pass(2))


def test_compressed_shards_give_the_same_batches(examples, batches, tmp_path):
    compressed = synthetic.write_example_set(str(tmp_path / "set"), extension="tfrecord.gz")
    assert request_ids(training(compressed)) == request_ids(batches)
    kept = [input_pipeline.evaluation_batches(one, "train") for one in (examples, compressed)]
    assert request_ids(kept[0]) == request_ids(kept[1])


def test_evaluation_keeps_its_order(examples):
    batches = input_pipeline.evaluation_batches(examples, "test", 16)
    assert request_ids(batches) == request_ids(batches)


def test_repeated_passes_hold_every_record_once_each_and_do_not_mix(examples, batches):
    count = input_pipeline.count_batches(examples, "train", 64)
    received = request_ids(batches.repeat().take(2 * count))
    for half in (received[:count], received[count:]):
        assert sorted(flat(half)) == list(range(400))


def test_no_batches_are_tuned_by_a_thread_that_their_end_has_to_wait_for(examples):
    # With such a thread the end of an iterator takes seconds on a busy machine, not on any other.
    read = (
        training(examples),
        input_pipeline.evaluation_batches(examples, "validation"),
        input_pipeline.serialized_batches(examples, "validation"),
        TrainingInput(examples, TrainingConfig()).one_pass(0),
        TrainingInput(examples, TrainingConfig()).after(1),
    )
    assert [one.options().autotune.enabled for one in read] == [False] * len(read)


def test_batches_hold_what_was_written(batches):
    requests = {r.request_id: r for r in synthetic.random_requests(count=400, seed=0)}
    for batch in batches.take(5):
        values = {name: tensor.numpy() for name, tensor in batch.items()}
        for row, identifier in enumerate(values["request_id"]):
            request = requests[int(identifier)]
            c, b = len(request.candidate_item_id), len(request.history_item_id)
            for received, expected in (
                (values["candidate_item_id"][row, :c], request.candidate_item_id),
                (values["click"][row, :c], request.labels["click"]),
                (values["history_type"][row, :b], request.history_type),
                (values["similarity_text"][row, :c, :b], request.features["similarity_text"]),
                (values["candidate_genres"][row, :c], request.features["candidate_genres"]),
            ):
                np.testing.assert_array_equal(received, expected)
            assert not values["similarity_text"][row, c:].any()
            assert not values["similarity_text"][row, :, b:].any()
            assert not values["history_mask"][row, b:].any()


def test_a_folder_that_is_not_a_complete_example_set_is_refused(tmp_path):
    with pytest.raises(UserInputError, match=r"has no manifest\.json"):
        ExampleSet.open(str(tmp_path))
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UserInputError, match="is not JSON"):
        ExampleSet.open(str(tmp_path))
    manifest.write_manifest(str(tmp_path), {"encoder": "x"})
    with pytest.raises(UserInputError, match="not joined examples"):
        ExampleSet.open(str(tmp_path))


def test_missing_shards_splits_and_other_layouts_are_refused(tmp_path):
    examples = synthetic.write_example_set(str(tmp_path / "set"), splits={"train": 3, "test": 0})
    with pytest.raises(UserInputError, match=r"no records in split 'test'; it has \['train'\]"):
        examples.shards("test")
    with pytest.raises(UserInputError, match="no records in split 'tset'"):
        examples.candidates_per_record("tset")
    (tmp_path / "set" / "train-00001-of-00003.tfrecord").unlink()
    with pytest.raises(UserInputError, match=r"train-00001-of-00003.* is missing"):
        examples.shards("train")
    path = tmp_path / "set" / "manifest.json"
    manifests.change(path, lambda values: values["schema"].update(version=2))
    with pytest.raises(UserInputError, match="written by another version"):
        ExampleSet.open(str(tmp_path / "set"))
