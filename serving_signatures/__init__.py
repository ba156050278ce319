"""From a trained model to a verified, versioned SavedModel.

- `names`: what signatures, inputs and outputs are called.
- `signatures`: `ServingSignatures`, the named functions with explicit TensorSpecs.
- `tags`: which variables a cache depends on, as a fingerprint.
- `export`: write, verify in a fresh process, publish by rename.
- `parity_process`: the verification; knows nothing of this project but the names.
- `sample_requests`: requests of any R, C, L for verification and warm-up.
- `recorded_requests`: training records as a client would send them.
- `skew`: records and logged requests replayed.
- `warmup`: warm-up records for TF Serving.
"""
