"""Tables of the documentation in Markdown; each module has its tables by name in `TABLES`.

table     the layout that all share
join      of `benchmarks/results/join.json`
quality   of `quality.json` and `quality_transfer.json`
serving   of `serving.json`
training  of `training.json`, `optimizers.json` and `daily.json`
settings  of the configuration's dataclasses
flags     of a job, one row per flag
jobs      the list of the jobs, and what `--help` of each prints
"""
