"""The jobs: Beam transforms (read, validate, sequence, join, write) and one entry point a job.

The join (`build_examples`), in the order in which an event passes through it:

- `join_options`: `JoinOptions`, what a user asks for.
- `expressions`: the small expressions of `--behavior_rule` and its like, parsed, never run.
- `event_log`: the behavior log: pre-flight, reading, validation with reasons.
- `side_features`: item and user columns as dense arrays.
- `embedding_inputs`: the embedding sets' fingerprints and rejected rows.
- `parquet`: opening and checking Parquet before anything is written.
- `broadcast`: what every worker looks up, memory-mapped once a process.
- `splits`: which split a request belongs to, by time.
- `time_histogram`: the log's timestamps as counts, for the global cut times.
- `sequences`: requests and their behavior sequences by index arithmetic, pure NumPy.
- `records`: similarity codes and serialized records of one partition.
- `shards`: files written beside their name and renamed, hashed on the way.
- `summary`: counts that add up, merged over partitions.
- `join_plan`, `join_outputs`, `join`: what workers need to know, the files they write, and the
  composite transform.
- `join_report`: do the counts add up; the manifest.
- `publish`: no manifest, no data set; nothing is one before it is complete.
- `output_folder`, `output_objects`: how that is done on local disks and on object stores.

The other jobs are `train`, `evaluate`, `export`, and `run`, which chains all of them:

- `run_config`: `RunConfig`, a Python file and overrides, validated as one.
- `demo_data`: the demo's ratings, films and content.
- `scored_request`: one request for a person to look at.
- `environment`: what a result was made with.
- `latency`: model against model on one request.
- `report`: everything a run found, on one page.

`entry_point` is the `main` that every job shares; `quiet` keeps libraries from talking over it.
"""

from pipeline import quiet as _quiet  # noqa: F401  Must precede TensorFlow and Beam.
