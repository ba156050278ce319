"""Keras layers, the DMF model and its baselines, metrics and the input pipeline.

- `dmf`, `id_only`, `early_fusion`: the models, on the backbone of `ranking_model`.
- `factory`: from a configuration to a model.
- `decoupled_attention`: `DecoupledTargetAttention`, the factorised attention.
- `early_fusion_attention`: the materialised baseline.
- `code_terms`: the two operations that keep `[C, L, d]` from being built.
- `similarity_tiers`, `fusion`, `ranking_head`, `side_features`, `id_embedding`: other layers.
- `model_config`, `training_config`: validated configuration.
- `input_pipeline`: TFRecords to batches.
- `optimizers`, `training`: one optimiser per group of variables; fit, checkpoint, select.
- `metrics`, `evaluation`: AUC, GAUC, log loss, normalised entropy, calibration, by slice.
- `trained_model`: a trained model as a folder.
"""
