"""What losses are made of.

- `tasks`: losses and metrics of logits.
- `replicas`: sums over the replicas of a step.
"""
