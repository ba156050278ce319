"""The synthetic data set and its embedding sets, on disk."""

import numpy as np
import pytest

from features.embeddings import embedding_set
from tests import synthetic


@pytest.fixture(scope="package")
def examples(tmp_path_factory):
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("examples") / "set"))


@pytest.fixture(scope="package")
def embeddings(tmp_path_factory):
    """Folders by modality; quantizing what is quantized changes nothing."""
    root = tmp_path_factory.mktemp("embeddings")
    for name, one in synthetic.embedding_sets().items():
        vectors = one.quantized[:-1].astype(np.float32)
        embedding_set.write_embedding_set(str(root / name), one.item_ids, vectors, "test", "1")
    return {name: str(root / name) for name in synthetic.SCHEMA.modality_names}
