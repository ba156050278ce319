"""Exported versions promoted, rolled back and pruned, and compared with what they learned from.

- `model_versions`: the operations; `version_list`: the table of versions.
- `skew_report`: what a comparison of training and serving found.
"""
