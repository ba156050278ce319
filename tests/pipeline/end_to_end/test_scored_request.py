"""The request that a run shows: drawn candidates have the statistics of the latest records."""

import dataclasses

import numpy as np
import tensorflow as tf

from features.records import example, running_statistics
from pipeline.end_to_end import scored_request
from tests import synthetic

ITEM = running_statistics.item_feature(("click",))
USER = running_statistics.context_feature(("click",))
NAME = f"candidate_{ITEM.name}"
SCHEMA = dataclasses.replace(
    synthetic.SCHEMA, modalities=(), item_features=(ITEM,), context_features=(USER,)
)


class Growing:
    """A data set whose records hold how often each item was shown before."""

    schema = SCHEMA

    def __init__(self, folder):
        self._path = str(folder / "test.tfrecord")
        self.counts = {}
        random = np.random.default_rng(0)
        with tf.io.TFRecordWriter(self._path) as writer:
            drawn = synthetic.random_requests(SCHEMA, 30)
            shown = []
            for request in drawn:
                items = request.candidate_item_id.tolist()
                values = [[self.counts.get(item, 0), 0.5] for item in items]
                for item in items:
                    self.counts[item] = self.counts.get(item, 0) + 1
                features = {**request.features, NAME: np.array(values, np.float32)}
                shown.append(dataclasses.replace(request, features=features))
            self.last = {
                item: value[0]
                for request in shown
                for item, value in zip(
                    request.candidate_item_id.tolist(),
                    request.features[NAME].tolist(),
                    strict=True,
                )
            }
            for index in random.permutation(len(shown)):
                writer.write(example.encode_request(SCHEMA, shown[index]))

    def shards(self, split):
        assert split == "test"
        return [self._path]

    def verify(self, paths):
        """No manifest describes the file."""


def test_candidates_have_the_latest_statistics_and_new_items_none(tmp_path):
    examples = Growing(tmp_path)
    titles = {int(item): "a film" for item in (*synthetic.item_ids(), 12345)}
    request = scored_request.build(examples, None, titles, 400)
    items = request.candidate_item_id.tolist()
    received = request.features[NAME]
    assert received.shape == (400, 2)
    assert received[:, 0].tolist() == [examples.last.get(item, 0) for item in items]
    assert received[items.index(12345)].tolist() == [0, 0]
    assert len(set(received[:, 0].tolist())) > 3
    assert request.features["context_running_statistics"].shape == (USER.width,)
