"""The vocabulary: what a record is, and the only place that knows its bytes.

- `schema`: `ExampleSchema`, the contract between the join, the model and serving.
- `example`: a request to `tf.train.Example` bytes and back, in the graph.
- `columnar`: many requests at once, the same bytes, for the join.
- `hashing`: stable 64-bit id hashing, the same in NumPy and in the graph.
- `id_table`: from item ids to rows of an embedding table, hashed or by vocabulary.
- `similarity`: exact quantization and the similarity code, NumPy and graph.
- `embedding_set`: one modality's precomputed embeddings, quantized on entry.
- `tfrecord`: the framing of records in a TFRecord file.
- `storage`: files and folders, local or remote; `file_system`: what serves them; `local_copy`:
  remote folders to memory-map.
- `manifest`: what makes an output folder a data set.
- `versions`: numbered versions of a folder, one of them published by a pointer.
- `errors`: what a user did, in words a user can act on.
"""

from features import legacy_keras as _legacy_keras  # noqa: F401  Must precede TensorFlow's Keras.
