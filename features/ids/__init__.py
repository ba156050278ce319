"""Item ids: hashing, rows of an embedding table, the index over known ids."""
