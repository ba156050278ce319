"""Every signature of the reloaded SavedModel = the Keras model on the parsed records."""

import numpy as np
import pytest

from serving_signatures.export import parity_process
from tests.serving_signatures import serving

SCORING = ("serving_default", "score_request", "score_cached")


@pytest.mark.parametrize("name", SCORING)
@pytest.mark.parametrize("shape", serving.SHAPES, ids=str)
def test_signature_equals_the_model(published, shape, name):
    sample = serving.requests(shape, published.embeddings)
    expected = serving.oracle(published.model, sample)
    received = published.score(name, sample)
    serving.assert_same(received, expected)
    assert received["click"].shape == shape[:2]
    real = received["click"][received["mask"]]
    assert ((real > 0) & (real < 1)).all()
    if len(real) > 3:
        assert np.ptp(real) > 0.05


def test_export_measured_that_parity_itself(published):
    parity = published.exported.parity
    assert parity["max_abs_diff"] <= serving.TOLERANCE
    assert parity["foreign_ops"] == []
    assert parity["wrong_tags_refused"] is True
    cases = {name.split("/")[1].partition("-")[2] for name in parity["differences"]}
    assert cases == {"x".join(map(str, shape)) for shape in serving.SHAPES}
    assert len(parity["differences"]) == 2 * len(serving.SHAPES)
    assert set(published.exported.signatures) == {
        *SCORING,
        "id_projections",
        "target_aware_projections",
    }


@pytest.mark.parametrize("name", SCORING)
def test_requests_together_equal_one_by_one(published, name):
    sample = serving.requests((4, 6, 9), published.embeddings, seed=1)
    together = published.score(name, sample)
    lengths = sample["history_mask"].sum(1)
    counts = sample["candidate_mask"].sum(1)
    assert len(set(lengths)) > 1
    assert len(set(counts)) > 1
    for row in range(4):
        alone = published.score(name, one_request(sample, row, counts[row], lengths[row]))
        assert alone["click"].shape == (1, counts[row])
        np.testing.assert_allclose(
            together["click"][row, : counts[row]], alone["click"][0], atol=1e-6
        )
        assert (together["click"][row, counts[row] :] == 0).all()


def one_request(sample, row, candidates, behaviors):
    """One request of a batch, without the padding."""

    def cut(name, value):
        if name == "examples" or name.startswith("context"):
            return value[row : row + 1]
        return value[row : row + 1, : behaviors if name.startswith("history") else candidates]

    return {name: cut(name, value) for name, value in sample.items()}


@pytest.mark.parametrize("name", ["score_request", "score_cached"])
def test_order_of_candidates_is_the_order_of_scores(published, name):
    sample = serving.requests((2, 8, 5), published.embeddings, seed=2)
    order = np.random.default_rng(0).permutation(8)

    def shuffled(values):
        return {k: v[:, order] if k.startswith("candidate") else v for k, v in values.items()}

    other = shuffled({name: value for name, value in sample.items() if name != "examples"})
    first, second = published.score(name, sample), published.score(name, other)
    np.testing.assert_allclose(second["click"], first["click"][:, order], atol=1e-6)
    assert np.ptp(first["click"][0]) > 0.05


@pytest.mark.parametrize("name", ["score_request", "score_cached"])
def test_unknown_items_and_items_without_embedding_are_finite(published, name):
    sample = serving.requests((2, 3, 4), published.embeddings, seed=3)
    strange = {name: np.full_like(sample[name], 987654321) for name in sample if "item_id" in name}
    zeros = {name: np.zeros_like(sample[name]) for name in sample if "_vector_" in name}
    unknown = {**sample, **strange, **zeros}
    scores = published.score(name, unknown)["click"][sample["candidate_mask"]]
    assert np.isfinite(scores).all()
    assert ((scores > 0) & (scores < 1)).all()


def test_garbage_at_padding_does_not_matter(published):
    sample = serving.requests((3, 4, 6), published.embeddings, seed=4)
    inputs = serving.inputs(sample, published.tables_inside)
    mask = {side: sample[f"{side}_mask"] for side in ("candidate", "history")}
    assert not mask["history"].all()
    assert not mask["candidate"].all()
    rng = np.random.default_rng(0)
    garbage = dict(inputs)
    for name, value in inputs.items():
        side = name.split("_")[0]
        if side in mask and value.dtype != bool:
            noise = rng.integers(1, 100, value.shape).astype(value.dtype)
            padded = ~mask[side].reshape(mask[side].shape + (1,) * (value.ndim - 2))
            garbage[name] = np.where(padded, noise, value)
    expected = serving.parity_process.call(published.signatures["score_request"], inputs)
    received = serving.parity_process.call(published.signatures["score_request"], garbage)
    serving.assert_same(received, expected, tolerance=1e-6)


def test_every_signature_is_compared_or_the_export_fails(published):
    parity_process.check_compared(published.signatures)
    with pytest.raises(ValueError, match=r"compares \['score_new'\]"):
        parity_process.check_compared([*published.signatures, "score_new"])


def test_an_item_column_called_like_a_vector_is_no_vector():
    inputs = {
        "candidate_item_id": np.arange(6).reshape(2, 3),
        "candidate_vector_image": np.ones((2, 3, 1)),
        "candidate_vector_text": np.full((2, 3, 4), 2.0),
        "history_vector_text": np.full((2, 5, 4), 3.0),
    }
    found = parity_process.projection_inputs(inputs, "candidate_")["target_aware_projections"]
    assert set(found) == {"vector_text"}
    np.testing.assert_array_equal(found["vector_text"], np.full((6, 4), 2.0))
    behaviors = {**inputs, "history_item_id": np.arange(10).reshape(2, 5)}
    found = parity_process.projection_inputs(behaviors, "history_")["target_aware_projections"]
    np.testing.assert_array_equal(found["vector_text"], np.full((10, 4), 3.0))
