"""One partition's arithmetic in NumPy and Arrow; imports no Beam.

- `prepare`: duplicates out, `contradictions` counted, `negatives` in, labels by `attribution`.
- `ready_partition`, `sequences`: its requests and their behavior sequences.
- `running_statistics`, `item_statistics`, `cumulative_sums`: sums before each request.
- `downsampling`: negatives that records leave out.
- `partition_writer`, `records`, `record_window`, `partition_shards`: its records and shards.
"""
