"""Embedding sets as inputs.

- `ingestion`: a delivery becomes the next version of a set.
- `delivery`: reads delivered vectors: validated, quantized, each item once.
- `delivery_checks`: what a delivery is refused for.
- `embedding_versions`: a set as numbered versions: merging, writing, pruning.
- `embedding_inputs`: the sets that a join reads: fingerprints, counts, rejected rows.
"""
