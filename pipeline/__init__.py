"""The jobs: one entry point per command, and a folder for what each of them does.

Each module here is a command, `python -m pipeline.<name>`: flags and one call. `python -m pipeline`
lists them, `--help` explains one. The folders:

- `runtime`: `main`, flags, logging, SIGTERM, environment, JSON; what every job shares.
- `tables`, `publishing`: Parquet inputs; folders that are published whole or not at all.
- `embedding_sets`: embedding sets as inputs, and new versions of them (`ingest_embeddings`).
- `join`: from a log to examples (`build_examples`).
- `vocabulary`, `statistics`: what joined examples hold (`build_vocabulary`, `inspect_data`).
- `training_runs`: trainings, their folders and their comparison (`train`, `evaluate`, `runs`).
- `end_to_end`: all of it after one another (`run`), with the settings of `configs`.
- `releases`: exported versions promoted, rolled back and pruned (`models`).
- `version_gate`: a version compared with the one that serves, before it is promoted (`gate`).
- `local_serving`: a development server that speaks TF Serving's gRPC API (`serve_local`).
- `catalog_backfill`: a catalog's projections, for clients to look up (`backfill`).
- `cache_loading`: that backfill in Redis (`load_projections`).
- `adapters`: public data sets as the join's inputs (`convert`).
- `simulation`: a marketplace's log with a known ground truth (`simulate`).
- `report`: what was found, on one page.
- `submission`: jobs run here, in Docker or on Kubernetes (`submit`).
- `checkup`: the environment and the machine (`doctor`).
"""

from pipeline.runtime import quiet as _quiet  # noqa: F401  Must precede TensorFlow and Beam.
