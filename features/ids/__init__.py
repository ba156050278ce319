"""Item ids.

- `hashing`: stable 64-bit hashes.
- `given_ids`: ids as a program gives them, to int64.
- `id_table`: from ids to rows of an embedding table.
- `id_index`: a hash index over known ids.
- `coverage`: the share of ids that were found; a share near zero stops a job.
"""
