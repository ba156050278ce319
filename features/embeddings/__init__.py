"""Embedding sets and similarity codes.

- `similarity`: quantization and the similarity code.
- `vector_types`, `byte_vectors`: the types of vectors in files, and our own of int8.
- `availability`: from when a vector counts.
- `vector_rows`: rows of a set, read and validated batch by batch.
- `vector_width`, `set_manifest`: the width of a set's vectors, and what its manifest says.
- `embedding_files`: an embedding set on disk, opened.
- `embedding_set`, `item_vectors`: an embedding set quantized, or some items' raw vectors.
- `item_coverage`: whether a set is of the items that need it.
"""
