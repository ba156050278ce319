"""Texts as tables: CSV and JSON lines.

- `files`: the text of a file, plain or decompressed.
- `blocks`: complete records of a text, and its places.
- `parsing`: what texts hold, and parsing them.
- `csv_records`, `csv_layout`, `csv_columns`: records, header and columns of CSV.
- `json_records`, `json_columns`: objects and columns of JSON lines.
"""
