"""One partition's arithmetic in NumPy and Arrow; imports no Beam.

- `prepare`: duplicates out, `contradictions` counted, `negatives` in, labels by `attribution`.
- `item_pool`: what negatives are drawn from.
- `ready_partition`, `sequences`: its requests and their behavior sequences.
- `held_requests`: those that a part leaves to the next, since labels may still come.
- `running_statistics`, `item_statistics`, `cumulative_sums`: sums before each request.
- `carried_sums`, `sum_state`: sums that go on from one part to the next.
- `downsampling`: negatives that records leave out.
- `partition_writer`, `records`, `record_window`, `partition_shards`: its records and shards.
"""
