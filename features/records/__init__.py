"""One request: as a record (`tf.train.Example` bytes) and as part of a padded batch.

- `requests`: `RankingRequest`, one request without padding; `pad` and `unpad`.
- `example`: a request to bytes, and a batch of bytes to tensors in the graph.
- `decoded_example`: bytes to a request, without the graph.
- `columnar`: many requests to bytes at once.
- `running_statistics`: what a user and an item had counted before a request.
- `tfrecord`: the framing of a TFRecord file.
"""
