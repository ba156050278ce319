"""The daily cycle: one dated part of the log, from its files to a promoted model.

- `config`: what a cycle does, as a user sets it; `part_names`: the parts of a log, in order.
- `ledger`: which steps of which part are done, on disk; `cycle`: runs what is not.
- `data_steps`, `model_steps`, `serving_steps`: the steps, each a call of one job.
- `lineage`, `lineage_datasets`: events of OpenLineage, and what each step reads and writes.
- `status`: parts by steps, as text; `report`: one page per part and one over all of them.
"""
