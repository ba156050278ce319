"""Transport between the join's steps.

- `array_bytes`, `arrow_bytes`: NumPy arrays and Arrow batches as bytes.
- `broadcast`: look-up tables that every worker maps.
- `embedding_shuffle`: vectors shipped to the partitions that need them.
- `spill`: blocks in files between two steps.
- `summary`: counts that add up.
"""
