"""Exported versions promoted, rolled back and pruned, and compared with what they learned from.

- `model_versions`: the operations; `version_list`: the table of versions; `flags`: their flags.
- `fetched_versions`: versions copied from an object store.
- `verdict`: what the gate said of a version; `gate_records`: which record lets it have a label.
- `skew_report`: what a comparison of training and serving found.
"""
