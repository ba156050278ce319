"""One partition's arithmetic in NumPy and Arrow. Imports no Beam."""
