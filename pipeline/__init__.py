"""The jobs: Beam transforms (read, validate, sequence, join, write) and one entry point a job.

The join (`build_examples`), in the order in which an event passes through it:

- `join_options`, `join_flags`: `JoinOptions`, what a user asks for, and its flags.
- `expressions`: the small expressions of `--behavior_rule` and its like, parsed, never run.
- `event_log`, `log_columns`: the behavior log's pre-flight, and what its columns are for;
  `event_batches`: reading and validation with reasons.
- `prior_behaviors`: given behavior sequences, and what earlier parts left.
- `join_inputs`: everything that is read, opened and checked.
- `planner`: partitions, and how vectors reach the workers; chosen and explained.
- `read_events`, `history_cap`: a unit of any input spread over partitions; what no record can
  need is dropped before it is grouped.
- `attribution`, `negatives`, `partition`: labels that came as rows of their own, candidates that
  were not shown, and a partition's events made ready by both.
- `side_features`: item and user columns as dense arrays.
- `embedding_inputs`: the embedding sets' fingerprints and rejected rows.
- `parquet`: opening and checking Parquet before anything is written.
- `broadcast`, `embedding_shuffle`: what every worker looks up, memory-mapped once a process; or
  each partition is sent the vectors that it needs.
- `spill`, `arrow_bytes`: where blocks wait between steps, and their form.
- `splits`: which split a request belongs to, by time.
- `time_histogram`: the log's timestamps as counts, for the global cut times.
- `sequences`: requests and their behavior sequences by index arithmetic, pure NumPy.
- `records`, `partition_writer`: similarity codes and serialized records of one partition.
- `shards`: files written beside their name and renamed, hashed on the way.
- `summary`: counts that add up, merged over partitions.
- `join_plan`, `join_outputs`, `join`: what workers need to know, the files they write, and the
  composite transform.
- `join_report`: do the counts add up; the manifest.
- `parts`: a data set that grows, a part a log.
- `publish`: no manifest, no data set; nothing is one before it is complete.
- `output_folder`, `output_objects`: how that is done on local disks and on object stores.

Before and beside it:

- `convert`, `adapters`: public data sets to the join's inputs.
- `inspect_data`, `data_statistics`, `statistics`: a look at logs, embeddings and records, and
  drift against an earlier one.

- `ingest_embeddings`, `embedding_delivery`, `embedding_versions`: new vectors from an encoder,
  as the next version of an embedding set.
- `backfill`, `projection_cache`: a catalog's projections, for clients to look up.

The other jobs are `train`, `evaluate`, `export`, `check_skew`, which holds what is served to what
was trained on, and `run`, which chains the first three after the join:

- `run_config`: `RunConfig`, a Python file and overrides, validated as one.
- `demo_data`: the demo's ratings, films and content.
- `scored_request`: one request for a person to look at.
- `environment`: what a result was made with.
- `training_run`, `run_folder`, `training_report`: a training scored, its folder, its page.
- `models`, `model_versions`, `version_list`, `server_status`: exported versions promoted, rolled
  back and pruned.
- `runs`, `run_list`, `run_comparison`, `reproduction`: runs listed, compared and done again.
- `latency`: model against model on one request.
- `serve_local`, `local_serving`: a development server that speaks TF Serving's gRPC API.
- `report`: everything a run found, on one page.

`entry_point` is the `main` that every job shares; `text_table` and `json_file` are for what they
print and write; `quiet` keeps libraries from talking over it.
"""

from pipeline.runtime import quiet as _quiet  # noqa: F401  Must precede TensorFlow and Beam.
