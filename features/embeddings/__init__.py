"""Embedding sets and similarity codes.

- `similarity`: quantization and the similarity code.
- `embedding_files`, `byte_vectors`: an embedding set on disk, its int8 columns.
- `availability`: from when a vector counts.
- `embedding_set`, `item_vectors`: an embedding set quantized, or some items' raw vectors.
- `item_coverage`: whether a set is of the items that need it.
"""
