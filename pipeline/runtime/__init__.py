"""What every job shares.

- `entry_point`: `main`, flags, logging, exit codes; `termination`: SIGTERM as a request to stop.
- `help_text`: `--help`, and the groups in which flags are defined; `job_list`: all jobs in order.
- `coverage_flags`: `--min_coverage`, of every job in which ids have to meet.
- `path_rules`: outputs that meet inputs, paths that TensorFlow cannot read.
- `left_out`: what a job left out, in its last lines; `named_values`: `--limit NAME=VALUE`.
- `python_config`: configuration files and overrides; `beam_options`: Beam's own flags and
  pipelines; `beam_worker`: a process of the in-process runner.
- `environment`: versions, variables and code that produced a result.
- `plain_text`, `shell_text`: text from files and flags for terminals and shells.
- `json_file`, `text_table`: output files and tables; `quiet`: libraries' needless log lines.
"""
