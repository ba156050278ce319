"""A simulated marketplace with a known ground truth: `benchmarks.simulate`.

- `settings`: size and kind of a log.
- `catalog`: items and users; `candidate_source`: the items that a request may show.
- `clock`: the requests' times; `random_streams`: independent randomness.
- `marketplace`: requests, clicks and conversions.
- `label_events`: labels that arrive later, as events.
- `embeddings`, `tables`, `parquet_parts`: the output's files.
- `ground_truth`: the best scores that a model can reach.
- `simulation`: all of it, published as one folder.
"""
