"""Whether serving computes what training read: records and logged requests, replayed.

- `loaded_version`: an exported SavedModel and what it asks for.
- `content`: the vectors of the items in question, from embedding sets or from inside the model.
- `records`: records, drawn from files.
- `tally`: what was compared, and what differed most.
- `codes`: similarity codes and candidates' vectors, computed again.
- `replay`: records through `serving_default` and `score_request`.
- `request_log`: requests and responses as TF Serving logs them.
- `log_replay`: those, through the same signatures.
"""
