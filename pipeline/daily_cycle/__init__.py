"""The daily cycle: one dated part of the log, from its files to a promoted version.

- `config`: what a cycle does, as a user sets it, with `champion_limits`.
- `part_names`: the parts that a log has, in order; `places`: what the cycle may not write over.
- `ledger`: which steps of which part are done, on disk; `cycle`: runs what is not.
- `data_steps`, `model_steps`, `serving_steps`: each step is a call of one job.
- `steps`: their order, and the settings that each depends on.
- `category_names`: the texts of categorical values, for messages.
- `champion_check`: the version that serves, scored on the new part.
- `status`, `report`: parts by steps as text, and pages, made of `part_record`.
- `lineage`: events of OpenLineage, where a server is configured.
"""
