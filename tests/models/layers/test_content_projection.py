"""The content projection against NumPy, with random weights."""

import numpy as np
import pytest

from features.schema import Modality
from models.layers.content_projection import ContentProjection


def test_content_projection_equals_numpy_and_a_zero_vector_gives_zero():
    modalities = (Modality("text", 4), Modality("image", 3))
    projection = ContentProjection(modalities, 2)
    rng = np.random.default_rng(0)
    quantized = {
        m.name: rng.integers(-127, 128, (2, 3, m.dimension)).astype(np.int8) for m in modalities
    }
    quantized["text"][1, 2] = 0
    received = projection(quantized).numpy()
    expected = []
    for name, vectors in quantized.items():
        norm = np.linalg.norm(vectors.astype(float), axis=-1, keepdims=True)
        kernel = projection._projections[name].kernel.numpy()
        expected.append(vectors / np.maximum(norm, 1e-9) @ kernel)
    np.testing.assert_allclose(received, np.concatenate(expected, -1), atol=1e-5)
    assert (received[1, 2, :2] == 0).all()
    assert (received[1, 2, 2:] != 0).all()


def test_width_zero_is_refused():
    with pytest.raises(ValueError, match="width must be at least 1, received 0"):
        ContentProjection((Modality("text", 4),), 0)
