"""The ranking models, and everything that trains and evaluates them.

- `dmf`, `dta`, `id_only`, `din`, `early_fusion`, `sa_ta`, `sim_score`, `simtier`, `make`,
  `raw_vectors`: one model each, on the backbone of `ranking_model` and `content_model`.
- `tasks`, `entire_space`: losses and metrics; clicks and conversions in one model.
- `downsampling`: probabilities of the whole log from records that lack negatives.
- `model_config`, `factory`, `trained_model`: configuration, construction, the folder of a model.
- `replicas`: sums over the replicas of a step.
- `inputs`: data sets, batches and behaviors.
- `layers`: Keras layers and the operations they share.
- `evaluation`: scores, metrics and attention by similarity.
- `training`: the loop, its state, distribution, optimizers and warm start.
"""
