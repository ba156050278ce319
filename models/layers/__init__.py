"""Keras layers and the operations they share.

- `attention`: interest in the history.
- `similarity_counts`, `similarity_tiers`, `similarity_kernel`, `fusion`: the modality-centric path.
- `item_prior`, `similarity_product`, `position_bias`: what is added to the logit beside the head.
- `id_embedding`, `content_table`, `content_embedding`, `content_projection`: items.
- `side_features`, `running_statistics`, `ranking_head`: the head and its inputs.
- `similarity_code_ops`, `multi_head_ops`, `masking`: operations.
"""
