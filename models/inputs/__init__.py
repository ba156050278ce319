"""What a model reads.

- `example_set`, `example_part`: a joined data set, one part of it.
- `input_pipeline`, `candidate_mixing`: TFRecords to batches of requests or of single candidates.
- `batch`, `behaviors`, `newest_behaviors`: a batch, its behaviors, its truncated histories.
- `candidate_weights`: how much each candidate counts.
- `record_check`, `remote_files`: records that are not finite, remote file systems.
"""
