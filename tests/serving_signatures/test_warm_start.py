"""Tags of a warm-started model: a cache stays valid just as long as what it was filled from."""

import pytest

from models import factory
from models.training.warm_start import warm_start
from tests import synthetic
from tests.serving_signatures import serving


def started(earlier, vocabulary):
    vectors = synthetic.embedding_sets()
    model = factory.build_model(earlier.config, earlier.schema, vocabulary, vectors)
    warm_start(model, earlier)
    return model


@pytest.mark.slow
def test_equal_values_have_equal_tags_and_another_vocabulary_changes_the_id_tag_alone(embeddings):
    earlier = serving.random_model(seed=5)
    tags = serving.traced(earlier, embeddings).tags
    ids = earlier.item_embedding.vocabulary
    assert serving.traced(started(earlier, ids), embeddings).tags == tags
    changed = serving.traced(started(earlier, synthetic.item_ids()), embeddings).tags
    assert changed["id_tag"] != tags["id_tag"]
    assert changed["target_aware_tag"] == tags["target_aware_tag"]
