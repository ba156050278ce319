"""Files and folders, local or remote.

- `storage`, `file_system`: reading and writing by path or URI.
- `manifest`, `versions`: complete data sets, published versions.
- `published_folder`, `mapped_arrays`: the published version of a folder, arrays to map into memory.
- `local_copy`: remote folders as local ones.
"""
