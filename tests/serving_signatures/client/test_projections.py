"""What a client asks of the projection signatures."""

import numpy as np

from features.records.requests import RankingRequest, pad
from serving_signatures.client.projections import projected_items


def test_each_item_is_projected_once_with_its_own_vector():
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4)
    one = RankingRequest(
        [9, 7, 9],
        [7, 3],
        [1, 1],
        [0, 0],
        {"candidate_vector_text": vectors, "history_vector_text": vectors[[1, 2]]},
    )
    items = projected_items(pad([one, one]), ["item_ids", "vector_text", "vector_image"])
    assert items.keys() == {"item_ids", "vector_text"}
    assert items["item_ids"].tolist() == [3, 7, 9]
    np.testing.assert_array_equal(items["vector_text"], vectors[[2, 1, 0]])
