"""Files and folders, local or remote.

- `storage`, `file_system`, `parquet`: reading and writing by path or URI.
- `stamps`: whether files are still those that were opened.
- `manifest`, `versions`: complete data sets, published versions.
- `staging`, `locks`: folders that appear whole, written by one job at a time.
- `checked`, `structure`: data files and JSON values compared with what should be there.
- `published_folder`, `mapped_arrays`: the published version of a folder, arrays to map into memory.
- `local_copy`: remote folders as local ones.
"""
