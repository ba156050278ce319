"""The versions of an exported model.

- `export_folder`: a model's folder, where versions appear by rename.
- `exported_version`: a version and its manifest; `loaded_version`: one in memory.
- `manifest_check`: the structure of a manifest.
- `cache_validity`: which caches of an earlier version stay valid.
- `rollout`: TF Serving's model configuration, with labels; `pruning`: what may be removed.
- `served_memory`: whether the versions that are loaded together fit a server's memory.
"""
