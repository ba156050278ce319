"""Tables as inputs of jobs; `features.tables` reads them.

- `flags`: names, texts and rows, for every job that reads tables.
- `ids`: ids of several tables, which have to be of one kind.
- `side_features`: item and user columns as dense arrays.
"""
