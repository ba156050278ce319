"""From a trained model to a verified, versioned SavedModel.

- `names`: what signatures, inputs and outputs are called.
- `signatures`: `ServingSignatures`, the named functions with explicit TensorSpecs.
- `content_table`: a quantised embedding set inside the model.
- `tags`: which variables a cache depends on, as a fingerprint.
- `export`: write, verify in a fresh process, publish by rename.
- `parity_process`: the verification; knows nothing of this project but the names.
- `sample_requests`: requests of any R, C, L for verification and warm-up.
- `projection_cache`: what `pipeline.backfill` computed, looked up by item id.
- `warmup`: warm-up records for TF Serving.
"""
