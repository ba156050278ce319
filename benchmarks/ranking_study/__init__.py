"""Models compared over seeds and splits: `benchmarks.quality`.

- `quality_protocol`: rows, budget, selection; `study`, `study_parts`: tuning, final runs, parts.
- `quality_data`, `recipes`, `groceries`: the data sets; `shuffled_embeddings`: the control's.
- `quality_trial`: one model trained and scored; `trial_pool`: trials in processes.
- `gradient_boosting`, `record_features`, `candidate_columns`: the references.
- `quality_rows`, `quality_ranks`: means, intervals, ranks over data sets.
- `quality_report`, `rank_report`, `dot_panel`: the tables and the page.
- `code_fingerprint`: the version of the code behind a result.
"""
