"""From a trained model to a verified, versioned SavedModel.

- `names`: what signatures, inputs and outputs are called.
- `signatures`: `ServingSignatures`, the named functions with explicit TensorSpecs.
- `tags`: which variables a cache depends on, as a fingerprint.
- `export`: write, verify in a fresh process, publish.
- `export_folder`: a model's folder, where versions appear by rename; `exported_version`: one.
- `cache_validity`: which caches of an earlier version a new one may use.
- `rollout`: TF Serving's model configuration, with labels; `pruning`: what may go.
- `parity_process`: the verification; knows nothing of this project but the names.
- `sample_requests`: requests of any R, C, L for verification and warm-up.
- `recorded_requests`: training records as a client would send them.
- `skew`: records and logged requests replayed.
- `projection_cache`: what `pipeline.backfill` computed, looked up by item id.
- `warmup`: warm-up records for TF Serving.
- `input_checks`: what signatures refuse, in the graph, by the input's name.

And the other side of the wire:

- `client`: `RankingClient`, which scores requests by ids, with caches or without.
- `ranking_request`: `RankingRequest`, and padding to agreed sizes.
- `client_channel`, `remote_model`: deadlines and retries; signatures called with arrays.
- `cached_projections`: looks projections up, has missing ones computed, all of one version.
- `projection_store`, `catalog_store`, `redis_store`: where they are kept.
- `client_counts`: what happened.
"""
