"""Other ways to join.

- `rowwise`: Beam as most people write it, one dictionary at a time.
"""
