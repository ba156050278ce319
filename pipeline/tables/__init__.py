"""Tables as inputs.

- `parquet`: Parquet files: listing, opening, checking columns.
- `side_features`: item and user columns as dense arrays.
"""
