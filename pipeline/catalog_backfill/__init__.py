"""The backfill: a catalog's projections as versioned caches. `pipeline.backfill` runs it.

- `backfill`: a backfill, from its inputs to published versions.
- `backfill_inputs`: the model's manifest, the catalog, the items' vectors; opened and checked.
- `model_coverage`: whether the model knows the catalog's items.
- `cache_folder`: writer side of a projection cache: versions, parts, what a killed job left.
- `cache_plan`: what a cache lacks, and which parts to write.
- `cache_part`: a part's bytes.
- `projector`: the SavedModel's signatures, called in batches of one size.
- `compute`: the transform that writes parts.
- `sample_check`: rows of the finished version, computed again.
- `part_checks`: all parts of it, checked as readers check them.

`serving_signatures.client.projection_cache` reads what is written here; `cache_version` and
`cache_parts` beside it have the checks of both.
"""
