"""Exported versions promoted, rolled back and pruned.

- `model_versions`: the operations; `version_list`: the table of versions.
"""
