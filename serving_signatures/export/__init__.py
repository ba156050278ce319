"""A trained model becomes a verified, versioned SavedModel.

- `gate`: the export of a trained model and its data set.
- `saved_model`: writes a SavedModel, verifies it and publishes it by rename.
- `parity_process`: the verification, in a process without this project's code.
- `sample_requests`: random requests of any R, C and L.
- `served_requests`: the usual sizes of a request log, and the slowest.
- `warmup_calls`, `warmup`: warm-up records for TF Serving; `batching_parameters`: how it
  joins requests.
"""
