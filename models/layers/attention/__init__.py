"""Interest in the history: layers from candidates and behaviors to an interest vector.

- `decoupled_attention`: on ids, with similarity as side information.
- `similarity_softmax`: its weights, on stock ops or by a native kernel.
- `early_fusion_attention`: id and similarity concatenated per pair.
- `semantic_attention`: scores mixed with similarities.
- `activation_unit`: DIN's weights.
"""
