"""Keras layers, the DMF model and its baselines, metrics and the input pipeline.

- `dmf`, `id_only`, `early_fusion`: the models, on the backbone of `ranking_model`.
- `factory`: from a configuration to a model.
- `decoupled_attention`: `DecoupledTargetAttention`, the factorized attention.
- `early_fusion_attention`: the materialized baseline.
- `behaviors`: mask, time gap and type of a history.
- `similarity_code_ops`: the two operations that keep `[C, L, d]` from being built.
- `masking`, `similarity_tiers`, `fusion`, `content_projection`, `ranking_head`,
  `side_features`, `id_embedding`: other layers.
- `model_config`, `training_config`: validated configuration.
- `example_set`: a joined data set; `remote_files`: file systems through tensorflow-io.
- `input_pipeline`: TFRecords to batches.
- `lazy_adam`: Adam for the rows of a batch.
- `optimizers`, `training`: one optimizer per group of variables; fit, checkpoint, select.
- `progress`, `tensorboard`: what a training says and shows while it runs.
- `attention_mass`: where a trained model looks, by similarity.
- `metrics`, `evaluation`: AUC, GAUC, log loss, normalized entropy, calibration, by slice.
- `trained_model`: a trained model as a folder.
"""
