"""Exported versions promoted, rolled back and pruned.

- `model_versions`: the operations; `version_list`: the table of versions.
- `server_status`: the state of a version on a TF Serving server.
"""
