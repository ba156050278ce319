"""The gate: whether an exported version may take the place of the one that serves.

- `options`: what is compared, and the limits that a version must keep.
- `held_out`: the same records scored by both exports.
- `comparison`: their metrics overall and by slice, with intervals; `judgment`: why not.
- `verdict_table`: the figures as a table; `gate`: all of it, with its record.
"""
