"""Tables as inputs: every job reads its logs, items, users and vectors through these modules.

- `options`: how the user says which columns, rows and texts are meant.
- `listing`: the files that locations mean, and what was passed over; `locations` does its parts.
- `pruning`: a filter rules out files by the keys of their folders.
- `places`: what is known of a file, and its units of reading.
- `formats`: the format of a file, and reading it by places; a module for each format. `text` has
  what CSV and JSON lines share, `npy` arrays and their ids.
- `kinds`, `times`, `names`: types, timestamps and names, made one.
- `schema`: the pre-flight: columns of all files by one name and one type.
- `table`: `open_table`, and what is known of a table; `renames`: whether each `--column` is used.
- `reader`: reading it unit by unit, in any process.
- `plain`: rows for people to read.
- `expressions`: `rating >= 4`, over columns.
"""
