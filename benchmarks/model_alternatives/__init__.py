"""Other ways to attend and to train, to compare with.

- `materialized_attention`: attention and DMF with keys and values of every pair.
- `serving_models`: models with one head, exported.
- `training_records`: joined records with random content.
- `training_ways`: ways to take a training step.
"""
