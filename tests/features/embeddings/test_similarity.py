"""The similarity code: NumPy = graph bit for bit, on random and on real vectors."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from features import in_graph
from features.embeddings import embedding_set, similarity
from features.errors import UserInputError

SHAPES = st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(0, 9), st.integers(1, 40))


def random_vectors(random, *shape):
    """Vectors of very different lengths, some of them zero."""
    vectors = random.normal(size=shape) * 10.0 ** random.integers(-6, 6, (*shape[:-1], 1))
    return (vectors * (random.random((*shape[:-1], 1)) > 0.2)).astype(np.float32)


@given(SHAPES, st.integers(0, 2**32))
def test_numpy_equals_graph(shape, seed):
    R, A, B, M = shape
    random = np.random.default_rng(seed)
    a, b = random_vectors(random, R, A, M), random_vectors(random, R, B, M)
    sides = []
    for vectors in (a, b):
        quantized, norms = similarity.quantize(vectors)
        graph = in_graph.quantize(tf.constant(vectors), "input")
        np.testing.assert_array_equal(quantized, graph[0])
        np.testing.assert_array_equal(norms, graph[1])
        sides += [quantized, norms]
    found = in_graph.codes(*map(tf.constant, sides)).numpy()
    for r in range(R):
        np.testing.assert_array_equal(similarity.codes(*(side[r] for side in sides)), found[r])


@given(SHAPES, st.integers(0, 2**32))
def test_bytes_quantize_as_their_floats_do(shape, seed):
    R, A, _, M = shape
    random = np.random.default_rng(seed)
    anything = random.integers(-128, 128, (R, A, M), np.int8)
    quantized, _ = similarity.quantize(random_vectors(random, R, A, M))
    for sent in (anything, quantized):
        for found, expected in zip(
            similarity.quantize(sent), similarity.quantize(sent.astype(np.float32)), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
    np.testing.assert_array_equal(similarity.quantize(quantized)[0], quantized)


@pytest.mark.parametrize("modality", ["text", "image"])
def test_numpy_equals_graph_on_real_vectors(shared_data, modality):
    path = shared_data / "embeddings" / f"{modality}.parquet"
    vectors = embedding_set.read_embedding_set(str(path))
    rows = np.random.default_rng(0).integers(0, len(vectors.item_ids) + 1, (2, 600))
    sides = []
    for side in rows:
        sides += [vectors.quantized[side], vectors.norms[side]]
    codes = similarity.codes(*sides)
    graph = in_graph.codes(*(tf.constant(side[None]) for side in sides))
    np.testing.assert_array_equal(codes, graph[0])
    assert len(np.unique(codes)) > 50
    one_by_one = [similarity.codes(*(side[n : n + 1] for side in sides)).item() for n in range(20)]
    assert one_by_one == np.diag(codes)[:20].tolist()


@given(st.integers(1, 300), st.integers(0, 2**32))
def test_code_is_the_cosine(width, seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 4, width))
    codes = similarity.codes(*similarity.quantize(a), *similarity.quantize(b))
    exact = a @ b.T / np.outer(*(np.linalg.norm(side, axis=1) for side in (a, b)))
    assert np.abs(similarity.cosine_of_code(codes) - exact).max() < 0.02


def test_ends_of_the_scale():
    vectors = np.array([[1, 2], [-1, -2], [0, 0], [2, -1]], np.float32)
    codes = similarity.codes(*similarity.quantize(vectors), *similarity.quantize(vectors))
    assert codes[0].tolist() == [255, 1, 0, 128]
    assert codes[2].tolist() == [0, 0, 0, 0]
    assert np.isnan(similarity.cosine_of_code(0))


def test_division_is_not_a_reciprocal():
    """Pairs whose code differs if the graph multiplies by a reciprocal; one in 10 million does."""
    a = np.array([[127, -16, -108], [127, -118, 101], [127, -22, -45], [127, -10, 113]])
    b = np.array([[127, -87, 57], [127, -48, -23], [127, 98, -59], [127, 45, -55]])
    sides = [*similarity.quantize(a.astype(np.int8)), *similarity.quantize(b.astype(np.int8))]
    graph = in_graph.codes(*(tf.constant(side[None]) for side in sides))
    np.testing.assert_array_equal(similarity.codes(*sides), graph[0])


def test_scale_does_not_matter():
    vectors = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    one, _ = similarity.quantize(vectors)
    eight, _ = similarity.quantize(vectors * 8)
    np.testing.assert_array_equal(one, eight)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused(value):
    vectors = np.array([[1, value]], np.float32)
    with pytest.raises(ValueError, match="finite"):
        similarity.quantize(vectors)
    with pytest.raises(tf.errors.InvalidArgumentError, match="text: embeddings must be finite"):
        in_graph.quantize(tf.constant(vectors), "text")


def test_too_wide_is_refused():
    widest = 2**24 // 127**2
    similarity.quantize(np.ones((1, widest), np.float32))
    with pytest.raises(UserInputError, match=f"width {widest + 1} has a squared norm"):
        similarity.quantize(np.ones((1, widest + 1), np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="text: squared norm"):
        in_graph.quantize(tf.ones((1, widest + 1)), "text")


def test_buckets():
    edges = similarity.uniform_edges(4)
    assert edges == (-0.5, 0.0, 0.5)
    table = similarity.bucket_of_code(edges)
    assert table.shape == (256,)
    assert table[[0, 1, 128, 255]].tolist() == [0, 1, 3, 4]
    assert np.all(np.diff(table) >= 0)
    for wrong in ([0.5, 0.5], [0.2, 0.1], [-1.0], [1.5]):
        with pytest.raises(ValueError, match="strictly ascending"):
            similarity.bucket_of_code(wrong)
    with pytest.raises(ValueError, match="at least 1"):
        similarity.uniform_edges(0)


ODD_EDGES = (-0.9, -0.35, 0.1, 0.2, 0.21, 0.8)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize(
    "edges", [*map(similarity.uniform_edges, (1, 2, 3, 20, 21, 64, 254)), (), ODD_EDGES]
)
def test_buckets_in_the_graph(edges, dtype):
    codes = np.arange(256).astype(dtype)
    received = in_graph.BucketOfCode(edges)(tf.constant(codes))
    assert received.dtype == tf.int32
    np.testing.assert_array_equal(received, similarity.bucket_of_code(edges))


def test_equal_buckets_cost_no_look_up():
    assert similarity.bucket_line(similarity.uniform_edges(20)) is not None
    assert similarity.bucket_line(ODD_EDGES) is None


@pytest.mark.parametrize("count", [1, 2, 20, 127, 254])
def test_a_bucket_line_bears_roundings(count):
    edges = similarity.uniform_edges(count)
    slope, offset = similarity.bucket_line(edges)
    for wrong in (-1e-4, 1e-4):
        found = np.floor(slope * np.arange(256) + offset + wrong)
        np.testing.assert_array_equal(found, similarity.bucket_of_code(edges))


def test_cosines_in_the_graph():
    codes = np.arange(256).astype(np.uint8)
    expected = np.nan_to_num(similarity.cosine_of_code(codes))
    np.testing.assert_array_equal(in_graph.cosine_of_code(tf.constant(codes)), expected)
