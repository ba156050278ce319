"""The models that are compared have one head; materialized is DMF in another way."""

import numpy as np
import pytest

from benchmarks.model_alternatives import serving_models
from models.model_config import ModelConfig


@pytest.fixture(scope="module")
def models():
    return serving_models.build_all(serving_models.content(40))


def test_materialized_has_the_weights_of_dmf(models):
    ours, other = (models[name].get_weights() for name in ("dmf", "dmf_materialized"))
    for one, two in zip(ours, other, strict=True):
        np.testing.assert_array_equal(one, two)


def test_content_covers_the_vocabulary_in_every_modality():
    sets = serving_models.content(40)
    assert {name: one.dimension for name, one in sets.items()} == {"text": 128, "image": 128}
    for one in sets.values():
        np.testing.assert_array_equal(one.item_ids, np.arange(1, 41))


def test_the_defaults_are_those_of_the_configuration():
    models = serving_models.build_all(
        serving_models.content(40), ("dmf_default", "id_only_default")
    )
    assert list(models) == ["id_only_default", "dmf_default"]
    for model in models.values():
        assert model.config == ModelConfig()
