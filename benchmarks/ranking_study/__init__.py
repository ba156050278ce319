"""Models compared over seeds and splits: `benchmarks.quality`.

- `quality_protocol`: rows, tuning budget, selection; `study`: tuning and final runs.
- `quality_data`: the data sets; `shuffled_embeddings`: the control's.
- `quality_trial`: one model trained and scored; `trial_pool`: trials in processes.
- `gradient_boosting`, `record_features`, `candidate_columns`: the references.
- `quality_rows`: means and intervals; `quality_report`: the page.
- `code_fingerprint`: the version of the code behind a result.
"""
