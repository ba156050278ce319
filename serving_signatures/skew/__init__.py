"""Whether serving computes what training read: records and logged calls, replayed.

- `check`: all of it, for `pipeline.check_skew`.
- `drawing`: records, and logged calls, drawn from files.
- `content`: the items' vectors and what the graph computes from them.
- `replay`: records through `serving_default` and `score_request`; logged calls once more.
- `tally`: what was compared, and what differed most.
"""
