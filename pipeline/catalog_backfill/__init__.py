"""The backfill: a catalog's projections as versioned caches. `backfill` is its entry point.

- `backfill_job`: one backfill, from opened inputs to published versions.
- `backfill_inputs`: the model's manifest, the catalog, the items' vectors; opened and checked.
- `cache_folder`: a cache on disk: versions, parts, what a killed job left.
- `cache_plan`: what a cache lacks, and which parts to write.
- `cache_part`: a part's bytes.
- `projections`: the SavedModel's signatures, called in batches of one size.
- `compute`: the transform that writes parts.
- `sample_check`: rows of the finished version, computed again.

`serving_signatures.client.projection_cache` reads what is written here.
"""
