"""The join: from a behavior log and embedding sets to training records.

- `flags`, `options`: the user's options, validated; `rules/` parses their small languages.
- `inputs/`: the inputs, opened, validated, quarantined.
- `planner`, `plan`: partitions and strategy chosen; the plan sent to workers.
- `merged_shards`: small shards put together.
- `read_events`, `read_sums`, `partition_steps`, `transform`: the Beam side; `transport/` is what
  passes between.
- `partition/`: one partition's arithmetic, without Beam.
- `parts`, `manifest_values`, `job`: a data set that grows, its manifest, and the job.
"""
