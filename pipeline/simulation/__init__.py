"""A simulated marketplace with a known ground truth: `pipeline.simulate`.

- `settings`: size and kind of a log, and its randomness; `flags`: of its kind.
- `catalog`: items and users; `candidate_source`: the items that a request may show.
- `marketplace`: requests, their times, clicks and conversions.
- `label_events`: labels that arrive later, as events.
- `embeddings`, `parquet_parts`: the output's files.
- `ground_truth`: the best scores that a model can reach.
- `simulation`: all of it, published as one folder.
"""
