"""What losses are made of.

- `tasks`: losses and metrics of logits.
- `row_penalty`: the squares of the rows that a batch reads.
- `replicas`: sums and values over the replicas of a step.
"""
