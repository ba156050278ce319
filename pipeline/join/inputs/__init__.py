"""The inputs of the join.

- `join_inputs`: all inputs, opened and checked.
- `event_log`, `log_columns`: the log's pre-flight, and its columns and roles.
- `event_batches`: reading and validation; `quarantine`: the rejected rows.
- `given_histories`, `sequence_checks`, `prior_events`: given behavior sequences as events.
- `part_state`, `state_rows`: the state that a dated part leaves for the next, and its events.
- `duplicates`, `history_cap`: rows that are dropped: equal ones, and events no record can hold.
- `time_histogram`, `item_counts`: counts over the whole log, of items by day.
"""
