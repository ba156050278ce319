"""Every candidate once per pass, with its own request, in batches of many requests."""

import numpy as np
import pytest

from models import factory
from models.inputs import candidate_mixing, input_pipeline
from models.model_config import ModelConfig
from tests import synthetic

SCHEMA = synthetic.SCHEMA


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("examples") / "set"))


def mixed(examples, size=64, seed=1):
    batches = input_pipeline.training_batches(examples, "train", size, 1000, seed)
    return candidate_mixing.mix_candidates(batches, SCHEMA, size, seed)


def candidates(batches):
    """Returns what identifies each candidate, and its label."""
    found = []
    for batch in batches:
        values = {name: tensor.numpy() for name, tensor in batch.items()}
        assert values["candidate_item_id"].shape == values["candidate_mask"].shape
        for row in range(len(values["request_id"])):
            codes = values["similarity_text"][row, 0][values["history_mask"][row]]
            key = values["request_id"][row], values["candidate_item_id"][row, 0]
            history = values["history_item_id"][row][values["history_mask"][row]]
            found.append((*map(int, key), values["click"][row, 0], tuple(history), tuple(codes)))
    return found


def test_every_candidate_comes_once_with_its_own_request(examples):
    expected = []
    for one in synthetic.random_requests(count=400, seed=0):
        for place, item in enumerate(one.candidate_item_id):
            codes = tuple(one.features["similarity_text"][place])
            label = one.labels["click"][place]
            history = tuple(one.history_item_id)
            expected.append((one.request_id, int(item), label, history, codes))
    received = candidates(mixed(examples))
    assert sorted(received) == sorted(expected)
    assert received != sorted(received)


@pytest.mark.parametrize("size", [1, 64, 100_000])
def test_batches_are_full_and_counted_without_reading_them(examples, size):
    shapes = [batch["candidate_mask"].shape for batch in mixed(examples, size)]
    assert len(shapes) == candidate_mixing.count_mixed_batches(examples, "train", size)
    assert all(shape == (size, 1) for shape in shapes[:-1])


def test_a_batch_mixes_requests_of_all_sizes(examples):
    counts = {
        one.request_id: len(one.candidate_item_id)
        for one in synthetic.random_requests(count=400, seed=0)
    }
    for batch in mixed(examples, 64).take(10):
        assert len({counts[int(one)] for one in batch["request_id"].numpy()}) >= 4
        assert batch["history_mask"].shape[1] == SCHEMA.history_length


def test_the_seed_decides_the_order(examples):
    first, again, other = (candidates(mixed(examples, 64, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_scores_of_single_candidates_are_those_of_whole_requests(examples):
    model = factory.build_model(ModelConfig(id_dropout=0.0), SCHEMA, synthetic.item_ids())
    for batch in input_pipeline.evaluation_batches(examples, "test", 64).take(3):
        whole = model(batch).numpy()[batch["candidate_mask"].numpy()]
        single = model(candidate_mixing.single_candidates(batch, SCHEMA)).numpy()[:, 0]
        np.testing.assert_allclose(single, whole, atol=1e-5)
