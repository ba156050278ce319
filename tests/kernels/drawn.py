"""Random inputs of the kernels, with what is rare in practice: nothing, missing, extreme."""

import numpy as np

from features.embeddings import similarity


def sizes(rng):
    """R, C, L, H, with empty and odd ones among them."""
    return (
        int(rng.integers(1, 4)),
        int(rng.choice([1, 2, 3, 7, 65, 70])),
        int(rng.choice([0, 1, 3, 15, 16, 17, 50, 64, 65, 130])),
        int(rng.integers(1, 3)),
    )


def vectors(rng, shape, width):
    """Quantized vectors `[*shape, width]` and their norms; some are missing."""
    drawn = rng.normal(size=(*shape, width)).astype(np.float32)
    drawn[rng.random(shape) < 0.2] = 0
    # Extremes, where products of bytes would overflow sums that are too narrow.
    drawn[rng.random(shape) < 0.1] = rng.choice([-1.0, 1.0])
    return similarity.quantize(drawn)


def codes(rng, shape, modalities):
    """Similarity codes `[*shape]` of each modality."""
    return [rng.integers(0, 256, shape).astype(np.uint8) for _ in range(modalities)]


def mask(rng, requests, length):
    """A mask `[R, L]` with padding at the end; some histories are empty."""
    return np.arange(length) < rng.integers(0, length + 1, (requests, 1))


def floats(rng, *shape):
    """Normal numbers as float32."""
    return rng.normal(size=shape).astype(np.float32)


def edges(rng):
    """Inner edges of buckets, uneven."""
    return tuple(np.sort(rng.choice(np.linspace(-0.99, 0.99, 199), rng.integers(1, 20), False)))
