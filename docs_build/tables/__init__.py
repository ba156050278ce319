"""Tables of the documentation in Markdown; each module has its tables by name in `TABLES`.

`table` is the layout that all share. `settings`, `flags` and `jobs` are read from the code; the
others are named after what they show of `benchmarks/results/`.
"""
