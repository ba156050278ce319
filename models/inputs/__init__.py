"""What a model reads.

- `example_set`, `example_part`, `data_manifest`: a joined data set, one part of it, its manifest.
- `input_pipeline`, `candidate_mixing`: TFRecords to batches of requests or of single candidates.
- `batch`, `behaviors`, `newest_behaviors`: a batch, its behaviors, its truncated histories.
- `candidate_weights`: how much each candidate counts.
- `shard_reading`, `record_check`: shards that change while they are read, records that are not
  finite.
- `remote_files`: remote file systems.
"""
