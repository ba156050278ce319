"""Output folders that appear whole or not at all.

- `publication`: one data set staged and published, by `output_folder` or `output_objects`.
- `shards`: files written whole and hashed.
"""
