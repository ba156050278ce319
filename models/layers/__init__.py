"""Keras layers and the operations they share.

- `decoupled_attention`, `early_fusion_attention`, `semantic_attention`, `activation_unit`:
  interest in the history.
- `similarity_tiers`, `similarity_kernel`, `fusion`: the modality-centric path.
- `id_embedding`, `row_penalty`, `content_table`, `content_embedding`, `content_projection`: items.
- `side_features`, `running_statistics`, `ranking_head`: the head and its inputs.
- `similarity_code_ops`, `multi_head_ops`, `masking`: operations.
"""
