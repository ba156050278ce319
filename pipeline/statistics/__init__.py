"""What is known of the data before a model sees it: JSON values, findings, drift.

- `database`: DuckDB over Parquet, larger than memory, without extensions.
- `columns`: one column: nulls, distinct values, quantiles, histogram, rows an id.
- `time_buckets`: counts by time, of a log's events or of records.
- `log`: a behavior log. `embeddings`: an embedding set and what it covers of the log.
- `examples`: joined examples, from their manifest. `records`: label rates by time from shards.
- `options`: `CheckLimits` and `DriftThresholds`.
- `findings`: what is wrong or odd by itself; `log_findings`, `embedding_findings` and
  `example_findings` find it.
- `drift`: what changed since a baseline, and by how much; `distances`: between distributions.
"""
