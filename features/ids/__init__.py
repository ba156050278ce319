"""Item ids.

- `hashing`: stable 64-bit hashes.
- `id_table`: from ids to rows of an embedding table.
- `id_index`: a hash index over known ids.
"""
