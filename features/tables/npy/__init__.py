"""NumPy arrays as tables.

- `arrays`: an array in a file, read by rows.
- `ids`: the ids of its rows, in a file beside it.
"""
