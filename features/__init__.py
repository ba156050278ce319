"""What a record is: the vocabulary that all other packages share.

- `schema`: `ExampleSchema`, the contract between the join, the model and serving.
- `errors`, `arrays`: errors that a user can fix; types of arrays.
- `proxies`: whether a proxy of the environment catches a call.
- `time_units`: the unit that integer times are written in.
- `id_kinds`: whether ids are integers or strings, which must not be mixed.
- `records`: one request as a `tf.train.Example`: encoding, decoding, TFRecord framing.
- `ids`: hashing, vocabularies, the index over ids.
- `tables`: logs, items, users and vectors in files of any format and layout.
- `embeddings`: similarity codes, embedding sets and their files.
- `files`: storage, manifests, versions, local copies.
- `in_graph`: hashing, look-up and similarity codes in TensorFlow's graph.
- `legacy_keras`: selects Keras 2.
- `tensorflow_log`: hides what TensorFlow logs of its own start.
- `version`: of this project.
"""

from features import tensorflow_log as _tensorflow_log  # noqa: F401, I001  Precedes TensorFlow.
from features import legacy_keras as _legacy_keras  # noqa: F401  Must precede TensorFlow's Keras.
