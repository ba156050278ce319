"""Statistics of data before a model sees it: JSON values, findings, drift.

- `inspection`: statistics, findings, drift and report of given data; `assessment`: its steps.
- `log_source`: a behavior log, opened; `log`: its statistics; `log_findings`: its findings.
- `embeddings`: an embedding set and its coverage of a log; `embedding_findings`: its findings.
- `examples`: joined examples, from their manifest, and their findings; `records`: their label
  rates by time, from shards.
- `columns`: one column: nulls, distinct values, quantiles, histogram, rows per id.
- `time_buckets`: counts by time, of a log's events or of records.
- `streams`: columns of tables, batch by batch; `database`: DuckDB over them, larger than memory,
  without extensions.
- `flags`: of `pipeline.inspect_data`.
- `options`: `CheckLimits` and `DriftThresholds`; `findings`: `Finding` and its table.
- `drift`: changes since a baseline.
"""
