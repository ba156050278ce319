"""An exported model's folder: versions, cache validity, rollout, pruning."""
