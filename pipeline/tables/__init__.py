"""Tables as inputs.

- `flags`: the flags of every job that reads tables.
- `ids`: ids of several tables that have to be equal.
- `side_features`: item and user columns as dense arrays.
"""
