"""What a location means: its files, which of them are data, and the keys of their folders.

- `location`: a folder, one file or a glob, listed.
- `file_names`: what the name of a file says.
- `hive_keys`: `KEY=VALUE` folders.
- `lakes`, `delta`: tables whose files count only as their own log says.
- `selection`: which files are data, and why the others are not.
"""
