"""Training runs: their configuration, inputs and folders, and how they compare.

- `flags`: of `pipeline.train`.
- `run_config`: `RunConfig`, a Python file and overrides, validated as one.
- `training_inputs`: the joined examples, and the model to start from.
- `training_run`: scores a trained model, records its run and draws its report.
- `advice`: which path carries a trained model, for whom, and whether a simpler one would do;
  `findings`: the same in sentences.
- `headline`: the headline metrics of an evaluation, as a table.
- `run_folder`: the files of a run.
- `run_list`, `run_comparison`, `reproduction`: runs listed, compared and repeated.
"""
